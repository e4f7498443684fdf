"""Generated C on the machine at hand: built with its compiler, run, and every tensor held against the program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...errors import ConfigError, ExportError, UnsupportedError
from ...program import Program, run
from .layout import Layout, Lying, read_layout, read_layout_of
from .subject import subject_header
from .tools import call, first_error, sources_of

PROOF = Path(__file__).parent / "proof"
COMPILERS = ("cc", "gcc", "clang")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wsign-conversion", "-pedantic")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LONGEST_BUILD_S, LONGEST_RUN_S = 600.0, 600.0
MADE = 0  # kind of a record: what an operation has made; any other is an output


@dataclass(frozen=True, kw_only=True)
class HostBuild:
    """An executable of the host, and how its tensors lie."""

    executable: Path
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class OperationBytes:
    """One operation of firmware against the program.

    Attributes:
        differing: bytes that are not the program's, over all images.
        total: bytes that were compared.
    """

    tensor: str
    kind: str
    differing: int
    total: int


@dataclass(frozen=True, kw_only=True)
class FirmwareParity:
    """All operations in their order, and the outputs as the caller reads them after the run."""

    num_images: int
    operations: tuple[OperationBytes, ...]

    @property
    def differing(self) -> int:
        return sum(each.differing for each in self.operations)

    @property
    def total(self) -> int:
        return sum(each.total for each in self.operations)


def find_compiler() -> str:
    """The path of the host's C compiler.

    Raises:
        UnsupportedError: there is none; says what installs one.
    """
    found = next((path for path in map(shutil.which, COMPILERS) if path), None)
    if found is None:
        raise UnsupportedError(
            f"No C compiler was found ({', '.join(COMPILERS)}): install one, on Debian with "
            "`apt-get install gcc libc6-dev`."
        )
    return found


def has_sanitizers(compiler: str) -> bool:
    """Whether the compiler can watch addresses and undefined behaviour: some systems lack the libraries."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        built = [compiler, *SANITIZERS, str(source), "-o", f"{folder}/empty"]
        return call(built, limit_s=LONGEST_BUILD_S).returncode == 0


def build_on_host(
    folder: Path, out: Path, *, sanitize: bool = True, optimize: str = "-O1", specialize: bool = True
) -> HostBuild:  # fmt: skip
    """Compile a folder of generated C with every warning an error; `out` receives the executable.

    Args:
        sanitize: watch addresses and undefined behaviour; the run ends at the first fault.
        optimize: the compiler's level.
        specialize: make code of its own for each layer, as firmware has it; otherwise a kernel is compiled once and
            reads its sizes, the same C in a fraction of the compiler's time.

    Raises:
        UnsupportedError: there is no C compiler, or it lacks the sanitizers.
        ModelError: the folder holds no generated C.
        ExportError: the code does not compile.
    """
    compiler, layout = find_compiler(), read_layout(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "subject.h").write_text(subject_header(layout.interface), encoding="utf-8")
    shared = () if specialize else ("-DEW_INLINE=static inline", "-fno-inline")
    executable = out / "proof"
    arguments = [
        compiler, "-std=c99", optimize, *WARNINGS, *(SANITIZERS if sanitize else ()), *shared, "-DEW_TRACE",
        f"-I{folder}", f"-I{out}", *map(str, sources_of(folder)), str(PROOF / "host.c"), "-o", str(executable),
    ]  # fmt: skip
    done = call(arguments, limit_s=LONGEST_BUILD_S)
    if done.returncode and sanitize and not has_sanitizers(compiler):
        raise UnsupportedError(f"{compiler} has no sanitizers here: install their libraries, or build without them.")
    if done.returncode:
        raise ExportError(f"The generated C does not compile: {first_error(done.stderr)}")
    return HostBuild(executable=executable, layout=layout)


def run_on_host(build: HostBuild, images: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """For each image what every operation made, by tensor: int8 or float32 in the tensor's own shape.

    Args:
        images: for each, the codes of every input by name.

    An output is what the caller reads after the run, so that a plan which lets something overwrite it is found.

    Raises:
        ConfigError: there is no image.
        ShapeError: an input is missing or has another number of codes.
        ExportError: the executable ends early or with an error, sanitizers included.
    """
    if not images:
        raise ConfigError("There is no image to run the firmware on: give at least one.")
    tape = b"".join(part for image in images for part in build.layout.image_bytes(image))
    try:
        done = subprocess.run([str(build.executable)], input=tape, capture_output=True, timeout=LONGEST_RUN_S)
    except subprocess.TimeoutExpired:
        raise ExportError(f"The firmware did not end within {LONGEST_RUN_S:.0f} s on {len(images)} images.") from None
    if done.returncode:
        told = first_error(done.stderr.decode(errors="replace"))
        raise ExportError(f"The firmware ends with code {done.returncode} on the host: {told}")
    return list(_tensors(build.layout, done.stdout, num_images=len(images)))


def compare_on_host(
    program: Program, folder: Path, images: Sequence[Mapping[str, np.ndarray]], *, sanitize: bool = True
) -> FirmwareParity:  # fmt: skip
    """Build, run, and count the bytes of every operation that are not `program.run`'s.

    Raises:
        What `build_on_host` and `run_on_host` raise.
        ExportError: the folder was made from another program.
    """
    read_layout_of(program, folder)
    with TemporaryDirectory() as out:
        found = run_on_host(build_on_host(folder, Path(out), sanitize=sanitize), images)
    return compare_with_program(program, images, found)


def compare_with_program(
    program: Program, images: Sequence[Mapping[str, np.ndarray]], found: Sequence[Mapping[str, np.ndarray]]
) -> FirmwareParity:  # fmt: skip
    """Differing bytes per operation between what firmware made of `images` and what the program makes of them.

    Args:
        found: for each image, every operation's output by tensor.
    """
    differing, total = ({operation.output: 0 for operation in program.operations} for _ in range(2))
    for image, tensors in zip(images, found, strict=True):
        wanted = run(program, image)
        for name in differing:
            got = np.ascontiguousarray(tensors[name])
            want = np.ascontiguousarray(wanted[name].astype(got.dtype))
            differing[name] += int((got.view(np.uint8) != want.view(np.uint8)).sum())
            total[name] += got.nbytes
    rows = tuple(
        OperationBytes(tensor=each.output, kind=each.kind, differing=differing[each.output], total=total[each.output])
        for each in program.operations
    )
    return FirmwareParity(num_images=len(images), operations=rows)


def _tensors(layout: Layout, raw: bytes, *, num_images: int) -> Iterator[dict[str, np.ndarray]]:
    """The records of each image; those of outputs come last and count."""
    at, expected = 0, len(layout.operations) + len(layout.outputs)
    for _ in range(num_images):
        found: dict[str, np.ndarray] = {}
        for _ in range(expected):
            if at + 12 > len(raw):
                raise ExportError(f"The firmware told {len(raw)} bytes on the host, expected more: build it again.")
            kind, index, size = (int(each) for each in np.frombuffer(raw, dtype=np.uint32, count=3, offset=at))
            lying: Lying = (layout.operations if kind == MADE else layout.outputs)[index]
            found[lying.tensor] = lying.from_bytes(raw[at + 12 : at + 12 + size])
            at += 12 + size
        yield found
