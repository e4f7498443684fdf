"""`doctor`: what this machine can run, and what to install for the rest."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..devices.machine import has_fast_integers, package_version, usable_cores
from ..errors import first_line
from .options import Json
from .show import as_json, table

PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxscript", "onnxruntime", "scikit-learn", "safetensors")
EXTRAS = ("openvino", "executorch")  # runtimes that `export --format` and `bench --runtime` take as well
TOOLS = {  # program -> what it is for, and the Debian packages that hold it
    "cc": ("C on this machine", "gcc libc6-dev"),
    "arm-none-eabi-gcc": ("firmware for Cortex-M", "gcc-arm-none-eabi"),
    "qemu-system-arm": ("firmware in an emulator", "qemu-system-arm"),
    "cmake": ("CMake builds of firmware", "cmake"),
}
WHEELS = {  # without the cross compiler and the emulator above, these two do, for Cortex-M3, M4, M7 and M33
    "ziglang": "compiling firmware",
    "unicorn": "running firmware, and modelled cycles",
}
FREE_BYTES = 2 * 2**30  # room for a run's stages and artifacts


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line: what was looked for, what was found, and what to do when it is missing and `needed` by `fit`."""

    what: str
    found: str
    good: bool
    needed: bool
    remedy: str = ""


def doctor(json_file: Json = None) -> int:
    """Say what this machine can run; exit code 1 when something that `fit` needs is missing."""
    findings = [*_host(), *_packages(), *_accelerators(), *_tools()]
    broken = any(each.needed and not each.good for each in findings)
    if not as_json(findings, json_file):
        rows = [(_mark(each), each.what, each.found, each.remedy) for each in findings]
        table(("", "what", "found", "remedy"), rows)
        print("fit cannot run here: mend the lines marked MISSING." if broken else "fit can run here.")
    return 1 if broken else 0


def _mark(finding: Finding) -> str:
    if finding.good:
        return "ok"
    return "MISSING" if finding.needed else "-"


def _host() -> Iterator[Finding]:
    version = platform.python_version()
    remedy = "" if sys.version_info >= (3, 11) else "install Python 3.11 or later"
    yield Finding(what="Python", found=version, good=not remedy, needed=True, remedy=remedy)
    yield Finding(what="processor", found=f"{platform.machine()}, {usable_cores()} cores", good=True, needed=False)
    is_fast = has_fast_integers()
    fast = "yes" if is_fast else "no: int8 gains less speed on this machine"
    yield Finding(what="int8 dot products (VNNI)", found=fast, good=is_fast, needed=False)
    free = shutil.disk_usage(Path.cwd()).free
    remedy = "" if free >= FREE_BYTES else "free 2 GiB, or choose another folder with --out"
    found = f"{free / 2**30:.1f} GiB free here"
    yield Finding(what="disk", found=found, good=not remedy, needed=True, remedy=remedy)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        version = package_version(name)
        remedy = "" if version else f"pip install {name}"
        yield Finding(what=name, found=version or "not installed", good=not remedy, needed=True, remedy=remedy)
    for name in EXTRAS:
        version = package_version(name)
        remedy = "" if version else f"pip install 'edgewright[{name}]'"
        yield Finding(what=name, found=version or "not installed", good=not remedy, needed=False, remedy=remedy)


def _accelerators() -> Iterator[Finding]:
    try:
        import onnxruntime
        import torch
        import torchvision  # noqa: F401  (a torchvision of another build than torch fails here, not in the list above)
    except (ImportError, RuntimeError, OSError) as error:
        text = first_line(error, most=120)
        remedy = "reinstall torch, torchvision and onnxruntime together: scripts/install"
        yield Finding(what="packages load", found=text, good=False, needed=True, remedy=remedy)
        return
    providers = ", ".join(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())
    yield Finding(what="ONNX Runtime providers", found=providers, good=True, needed=False)
    yield _gpu(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def _gpu(count: int) -> Finding:
    """The GPUs that PyTorch has, and the option that learns on one of them."""
    import torch

    if not count:
        return Finding(what="accelerator", found="none (not needed)", good=False, needed=False)
    found = ", ".join(torch.cuda.get_device_name(number) for number in range(count))
    others = f", cuda:1 on the next of {count}" if count > 1 else ""
    return Finding(
        what="accelerator", found=found, good=True, needed=False, remedy=f"--accelerator cuda learns there{others}"
    )


def _tools() -> Iterator[Finding]:
    for name, (use, packages) in TOOLS.items():
        path = shutil.which(name)
        remedy = "" if path else f"apt-get install --no-install-recommends {packages} (for {use})"
        yield Finding(what=name, found=path or "not found", good=path is not None, needed=False, remedy=remedy)
    for name, use in WHEELS.items():
        version = package_version(name)
        remedy = "" if version else f"pip install 'edgewright[firmware]' (for {use})"
        yield Finding(what=name, found=version or "not installed", good=not remedy, needed=False, remedy=remedy)
