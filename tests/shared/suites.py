"""Many programs in one folder of C, so that one build and one run prove all of them.

The folder is one model to whoever builds it: its inputs are those of all programs, its operations one list.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgewright.export.c import Firmware, emit, write
from edgewright.program import Program

ROLES = ("inputs", "operations", "outputs")
OWN = ("model.h", "model.c", "weights.h", "weights.c")
PRIVATE = re.compile(r"\b(arena|run_\d+|at_\w+|numbers_\w+|ew_trace|EW_TRACED)\b")  # what is static in a model


def write_suite(programs: Sequence[Program], folder: Path, *, emitted: Callable[[Program], Firmware] = emit) -> Program:
    """Write the C of all programs to `folder`; the program that stands for all of them at once.

    All are one translation unit, so that a compiler which does not inline kernels compiles each of them once.

    Args:
        emitted: how a program becomes C.
    """
    parts = [emitted(each) for each in programs]
    files: dict[str, str] = {}
    for program, part in zip(programs, parts, strict=True):
        files |= _files(program, part)
    files |= {"model.h": _header(programs), "model.c": _model(programs, files)}
    files["layout.json"] = json.dumps(_layout(programs, [json.loads(each.files["layout.json"]) for each in parts]))
    write(replace(parts[0], files=files), folder)
    return merged(programs)


def merged(programs: Sequence[Program]) -> Program:
    """All programs side by side, their names in front of those of their tensors; they share one rounding."""
    tensors, operations = {}, []
    for program in programs:
        named = {name: f"{program.name}/{name}" for name in program.tensors}
        tensors |= {named[name]: replace(each, name=named[name]) for name, each in program.tensors.items()}
        operations += [
            replace(each, inputs=tuple(named[name] for name in each.inputs), output=named[each.output])
            for each in program.operations
        ]
    names = {role: tuple(f"{each.name}/{name}" for each in programs for name in getattr(each, role))
             for role in ("inputs", "outputs")}  # fmt: skip
    return Program(name="suite", tensors=tensors, operations=tuple(operations), rounding=programs[0].rounding, **names)


def _files(program: Program, part: Firmware) -> dict[str, str]:
    """A program's own files in a folder of its name, with names of its own, and the shared kernels."""
    found = {}
    for path, text in part.files.items():
        if path.startswith("kernels/"):
            found[path] = text
        elif path in OWN:
            found[f"{program.name}/{path.replace('.c', '.inc')}"] = PRIVATE.sub(rf"\1_{program.name}", text)
    return found


def _header(programs: Sequence[Program]) -> str:
    return "\n".join([*(f'#include "{each.name}/model.h"' for each in programs), "void ew_suite_run(void);\n"])


def _model(programs: Sequence[Program], files: Iterable[str]) -> str:
    """Runs one program after the other; each tells its operations by their place among all."""
    includes = [f'#include "{path}"' for path in files if path.endswith(".inc")]
    hooks, first = [], 0
    for program in programs:
        head = f"void ew_trace_{program.name}(uint32_t operation, const void *values, uint32_t num_bytes)"
        hooks += [f"{head};\n{head}\n{{\n    ew_trace({first}u + operation, values, num_bytes);\n}}"]
        first += len(program.operations)
    calls = "\n".join(f"    ew_{each.name}_run();" for each in programs)
    return "\n".join([
        '#include "model.h"', *includes, "#ifdef EW_TRACE",
        "void ew_trace(uint32_t operation, const void *values, uint32_t num_bytes);", *hooks, "#endif",
        f"void ew_suite_run(void)\n{{\n{calls}\n}}\n",
    ])  # fmt: skip


def _layout(programs: Sequence[Program], layouts: Sequence[Mapping]) -> dict:
    """One description of all tensors, named as in `merged`."""
    facts = {
        role: [
            each | {"tensor": f"{program.name}/{each['tensor']}"}
            for program, layout in zip(programs, layouts, strict=True)
            for each in layout[role]
        ]
        for role in ROLES
    }
    return {"format": layouts[0]["format"], "name": "suite", "run": "ew_suite_run", **facts}
