"""The user's own model: `FILE.py:factory`.

The file is run as `python FILE.py` would run it (imports beside it work), except that `__name__` is not `__main__`.
Then the factory is called with those of `num_classes`, `in_channels` and `image_size` that it names as parameters.
The model may carry plain attributes: `input_shape = (C, H, W)`, `mean`, `std`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError, ModelError, unknown_name
from .seeded import seeded
from .spec import Wanted, ZooModel, reason


def build_from_file(spec: str, wanted: Wanted) -> ZooModel:
    """Run the file, call its factory.

    It counts as trained when two seeds give the same weights: the factory loaded them, so nothing is random about them.

    Raises:
        ConfigError: the spec has no factory name, or nobody says what size the images have.
        LookupFailed: the file has no such function; near matches are offered.
        ModelError: the file is missing or does not run, or the factory fails or returns something else.
    """
    path, factory_name = _split(spec)
    name = f"{path.name}:{factory_name}"
    with _importable(path.parent):
        factory = _factory(_run(path), factory_name, path)
        model, reseeded = _call(factory, name, wanted, 0)
        again, _ = _call(factory, name, wanted, 1)
    trained = not reseeded and _same_weights(model, again)
    shape = _input_shape(model, name, wanted)
    mean, std = _statistics(model, "mean", shape[0], name), _statistics(model, "std", shape[0], name)
    return ZooModel(model=model, name=name, input_shape=shape, mean=mean, std=std, trained=trained)


def _split(spec: str) -> tuple[Path, str]:
    file, _, factory_name = (spec, "", "") if spec.endswith(".py") else spec.rpartition(":")
    if not factory_name:
        raise ConfigError(f"'{spec}' names no function: write it as {Path(file).name}:make_model.")
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"Model file {path} does not exist: write the path of a Python file as FILE.py:factory.")
    return path.resolve(), factory_name


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the user's file can be imported inside the block."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _run(path: Path) -> ModuleType:
    # Registered, since dataclasses and pickle look their module up; a name of its own shadows nobody's.
    module_name = f"_edgewright_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None  # a path that ends in .py always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        del sys.modules[module_name]
        raise ModelError(f"{path} does not run ({reason(error)}): try `python {path.name}` in its folder.") from error
    return module


def _factory(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    factory = getattr(module, name, None)
    if callable(factory):
        return factory
    public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    own = [key for key in public if getattr(getattr(module, key), "__module__", None) == module.__name__]
    raise unknown_name(f"function in {path.name}", name, own, command=f"grep ^def {path.name}")


def _call(factory: Callable[..., Any], name: str, wanted: Wanted, turn: int) -> tuple[nn.Module, bool]:
    """The factory's model, and whether it gave torch a seed of its own."""
    settings = _settings(factory, name, wanted)
    try:
        with seeded(wanted.seed, *([turn] if turn else [])) as seed:
            model = factory(**settings)
            reseeded = torch.initial_seed() != seed
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        given = ", ".join(f"{key}={value}" for key, value in settings.items())
        raise ModelError(f"{name}({given}) raised {reason(error)}: mend it or pass other settings.") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"{name} returned {type(model).__name__}, expected a torch.nn.Module: return the built model.")
    return model, reseeded


def _settings(factory: Callable[..., Any], name: str, wanted: Wanted) -> dict[str, Any]:
    """The arguments that the factory names and that are known; every other one needs a default."""
    known = {"num_classes": wanted.num_classes, "in_channels": wanted.channels, "image_size": wanted.image_size}
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} has no readable signature: wrap it in a Python function.") from error
    by_name = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    settings = {each.name: known[each.name] for each in by_name if known.get(each.name) is not None}
    open_ones = [
        each.name
        for each in parameters
        if each.default is each.empty
        and each.name not in settings
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if open_ones:
        raise ModelError(
            f"{name} needs {', '.join(open_ones)}: give a default, only num_classes, in_channels and image_size are "
            "passed, and each only where it is known."
        )
    return settings


def _input_shape(model: nn.Module, name: str, wanted: Wanted) -> tuple[int, int, int]:
    declared = getattr(model, "input_shape", None)
    if declared is not None:
        sizes = tuple(declared) if isinstance(declared, (tuple, list)) else ()
        if len(sizes) != 3 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ModelError(f"{name} has input_shape {declared!r}, expected three integers (channels, height, width).")
        return wanted.shape((sizes[0], sizes[1], sizes[2]))
    if wanted.channels is None or wanted.sides is None:
        raise ConfigError(
            f"{name} does not say what images it takes: set `model.input_shape = (channels, height, width)` in the "
            "factory, or pass --channels and --image-size."
        )
    return (wanted.channels, *wanted.sides)


def _statistics(model: nn.Module, key: str, channels: int, name: str) -> tuple[float, ...] | None:
    """`model.mean` or `model.std` where they are plain numbers; a tensor of that name is the model's own business."""
    values = getattr(model, key, None)
    if not isinstance(values, (tuple, list)):
        return None
    if len(values) != channels or not all(isinstance(value, (int, float)) for value in values):
        raise ModelError(f"{name} has {key} {values!r}, expected one number for each of its {channels} channels.")
    return tuple(float(value) for value in values)


def _same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = list(zip(first.parameters(), second.parameters(), strict=False))
    return bool(pairs) and all(torch.equal(one, other) for one, other in pairs)
