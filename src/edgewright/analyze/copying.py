"""A copy of a model to run on: what `copy.deepcopy` makes, in a fraction of its time.

Most of what a module holds are numbers, flags and empty containers; `copy.deepcopy` looks at each through several
functions. Here they are handed on or made anew at once, and only what is left is left to it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

HANDED_ON = frozenset((int, float, bool, str, type(None), torch.dtype, torch.device, torch.Size))
CONTAINERS = frozenset((dict, OrderedDict, list, set))
Model = TypeVar("Model", bound=nn.Module)


def copied_with(model: Model, stand_in: Callable[[torch.Tensor], torch.Tensor]) -> Model:
    """A copy of `model` whose parameters and buffers are what `stand_in` makes of the model's own."""
    memo = {id(each): stand_in(each) for each in (*model.parameters(), *model.buffers())}
    return copied(model, memo)  # type: ignore[no-any-return]


def copied(module: nn.Module, memo: dict[int, Any]) -> Any:
    """A deep copy of `module`; `memo` as in `copy.deepcopy`: identity of an object -> its stand-in there."""
    if id(module) in memo:
        return memo[id(module)]
    kind = type(module)
    if _copies_itself(kind):
        return copy.deepcopy(module, memo)
    made = kind.__new__(kind)
    memo[id(module)] = made
    state = vars(made)
    for name, value in vars(module).items():
        if name == "_compiled_call_impl":  # left out by `nn.Module.__getstate__` as well
            continue
        if type(value) in HANDED_ON:
            state[name] = value
        elif type(value) in CONTAINERS and not value:
            state[name] = memo.setdefault(id(value), type(value)())
        elif name == "_modules":
            state[name] = {key: copied(each, memo) for key, each in value.items()}
        else:
            state[name] = copy.deepcopy(value, memo)
    return made


def _copies_itself(kind: type[nn.Module]) -> bool:
    """Whether a class has rules of its own for copies. Those of torch's layers are for old checkpoints alone."""
    plain = {"__reduce_ex__": object, "__reduce__": object, "__getstate__": nn.Module}
    own = any(getattr(kind, name) is not getattr(base, name) for name, base in plain.items())
    restores = not kind.__setstate__.__module__.startswith("torch.nn.modules") or issubclass(kind, nn.RNNBase)
    return own or restores or hasattr(kind, "__deepcopy__")
