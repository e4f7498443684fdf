"""Errors name the fields of settings (`Train.lr`); who typed a flag reads the flag (`--lr`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

FIELD = re.compile(r"(?<![\w/'\"`.-])[A-Z]\w*\.([a-z]\w*)")
RENAMED: Mapping[str, tuple[str, ...]] = {
    "bits": ("conv_bits",), "course": ("schedule",), "epochs": ("prepare_epochs",), "granularity": ("per",),
    "loss_name": ("loss",), "max_layers": ("layers",), "mean_weight_bits": ("mean_bits",), "mode": ("scheme",),
    "repairs": ("repair",), "strength": ("prepare_strength",),
}  # fmt: skip
"""Field -> parameters of commands that set it under another name."""
RESCALED: Mapping[str, str] = {
    "activation_bytes": "activation_kb", "latency_s": "latency_ms", "sparsities": "sparsity",
    "weight_bytes": "weight_kb",
}  # fmt: skip
"""Field -> the parameter that sets it in another unit or form: a sentence with its value names both."""


def with_flags(sentence: str, command: inspect.Signature, given: Mapping[str, Any]) -> str:
    """The sentence of an error, with flags for the fields that the command line set.

    A field that no flag set keeps its name (a recipe's file, or a default), and so does one that two flags set.

    Args:
        command: whose parameters are its options.
        given: parameter -> value.
    """
    typed = {name: value for name, value in given.items() if _is_typed(command.parameters.get(name), value)}

    def told(found: re.Match[str]) -> str:
        names = [name for name in _setting(found[1]) if name in typed]
        if len(names) != 1 or any(found[0] in str(value) for value in typed.values()):
            return found[0]
        flag = _flag(command.parameters[names[0]])
        return f"{flag} ({found[0]})" if found[1] in RESCALED else flag

    return FIELD.sub(told, sentence)


def _setting(field: str) -> Iterator[str]:
    """The parameters that may set this field."""
    yield from (field, f"{field}_")  # `format_`: a name of Python's own
    yield from RENAMED.get(field, ())
    if field in RESCALED:
        yield RESCALED[field]


def _is_typed(parameter: inspect.Parameter | None, value: Any) -> bool:
    return parameter is not None and value != parameter.default


def _flag(parameter: inspect.Parameter) -> str:
    for option in getattr(parameter.annotation, "__metadata__", ()):
        for name in option.param_decls or ():
            return str(name).partition("/")[0]
    return f"--{parameter.name.rstrip('_').replace('_', '-')}"
