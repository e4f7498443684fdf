"""Recording: any `nn.Module` as it runs, without capturing it first.

The model is copied without data and called once; every ATen function that it reaches is noted with its arguments, the
module around it, and the tensors that it makes. That takes a fraction of the time of a capture and takes models that
no graph can hold. Where the model looks at the values of its tensors (a detector that counts its boxes), it is called
on real numbers instead, and what it does with them is noted on tensors without content all the same.

`torch.inference_mode` keeps the dispatcher from taking composite functions (linear, matmul, attention) apart.
"""

from __future__ import annotations

import copy
import inspect
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from ..errors import ModelError, first_line
from ..model.graph import pure_form
from ..seeding import torch_generator
from .formulas import is_known
from .recognition import Given, Recognized, is_layer, recognize
from .results import result_of
from .tracing import META, ONLY_SHAPE, Call, Kind, Trace, hollow, memory_of, tensors_in, without_data

_LOG = logging.getLogger(__name__)


def record(model: nn.Module, input_shape: tuple[int, ...], *, batch: int = 1, name: str = "model") -> Trace:
    """All calls of one forward pass in eval mode. The model itself stays as it was.

    Args:
        model: maps one float tensor (B, *input_shape) to tensors, in any nesting of tuples, lists and dicts.
        input_shape: shape of one sample.
        batch: how many samples.
        name: what to call the model in error messages.

    Raises:
        ModelError: the model does not run on such an input, is a script, or has weights without a shape yet.
    """
    shape = (batch, *input_shape)
    try:
        return _recorded(without_data(model), torch.empty(shape, device=META), batch)
    except Exception as error:  # the model's own code may raise anything when its tensors have no values
        _LOG.debug("%s needs values: %s", name, first_line(error, most=300, typed=True))
        _check_module(model, name)
    try:
        real = copy.deepcopy(model).eval().to("cpu", torch.float32)
        return _recorded(real, torch.rand(shape, generator=torch_generator(0, "record")), batch)
    except Exception as error:  # with values it fails for a reason of its own, which is quoted
        raise ModelError(
            f"{name} does not run on an input of shape {shape} ({first_line(error, most=150, typed=True)}): "
            "it gets one tensor; check --input, --image-size and --channels against what it expects."
        ) from error


def _check_module(model: nn.Module, name: str) -> None:
    if isinstance(model, torch.jit.ScriptModule):
        raise ModelError(
            f"{name} is a TorchScript module, which hides what it calls: pass the module it was made from."
        )
    if any(torch.nn.parameter.is_lazy(each) for each in (*model.parameters(), *model.buffers())):
        raise ModelError(f"{name} has lazy layers without weights: call it once on an input before it is analyzed.")


def _recorded(model: nn.Module, image: torch.Tensor, batch: int) -> Trace:
    recorder = _Recorder(model)
    with _without_fast_path(), torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the model's own code, about itself
        recorder.enter(image, _first_argument(model))
        with recorder:
            outputs = model(image)
        recorder.leave(outputs)
    return Trace(net=model, batch=batch, calls=tuple(recorder.calls), on_values=image.device != META)


def _first_argument(model: nn.Module) -> str:
    return next(iter(inspect.signature(model.forward).parameters), "input")


@contextmanager
def _without_fast_path() -> Iterator[None]:
    """Attention layers have a kernel that hides all their work in one call; the runtimes that ship do not have it."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Recorder(TorchDispatchMode):
    """Notes every function that `model`, a copy, calls, on twins of its tensors that have no content."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._modules = dict(model.named_modules())
        self._names = _names_of(self._modules)
        self._stored: dict[int, str] = {}  # twin of a stored tensor -> its name
        self._twins = WeakTensorKeyDictionary()
        self._first: dict[int, int] = {}  # memory -> the twin that was there before its views
        self._data: set[int] = set()  # memories that depend on the input
        self._uses: Counter[str] = Counter()  # of each name so far
        self._scope = [""]
        for path, module in self._modules.items():
            module.register_forward_pre_hook(_entering(self._scope, path))
            module.register_forward_hook(_leaving(self._scope))

    def enter(self, image: torch.Tensor, name: str) -> None:
        """Note the model's input."""
        twin = self._keep(image, _twin_of(image))
        self._data.add(memory_of(twin))
        self._note(name, "input", outputs=(twin,))

    def leave(self, outputs: Any) -> None:
        """Note what the model returned."""
        self._note("output", "output", args=tuple(self._twin(each) for each in tensors_in(outputs)))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tensors_in((args, kwargs))
        if not any(each.device == META or each in self._twins or id(each) in self._names for each in given):
            return func(*args, **kwargs)  # made of numbers in the code, which have values
        if not is_known(func):  # one that is put together from others is counted by these
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        twins = Given(function=func, args=self._twinned(args), kwargs=self._twinned(kwargs))
        result = None if any(each.device == META for each in given) else func(*args, **kwargs)
        pure = pure_form(func)
        if pure is not None and self._is_own(twins.args[0]):  # as in the pure form: a new value, the old one forgotten
            twins = replace(twins, function=pure)
            made: Any = torch.empty_like(twins.args[0])
        elif result is not None and not _shares_memory(result, given):
            made = _like(result)
        else:
            made = _repeated(twins, result)
        self._function(twins, made)
        if func._schema.is_mutable:
            self._keep(args[0], made)
            return args[0]
        result = made if result is None else result
        for each, twin in zip(tensors_in(result), tensors_in(made), strict=True):
            self._keep(each, twin)
        return result

    def _keep(self, tensor: torch.Tensor, twin: torch.Tensor) -> torch.Tensor:
        self._twins[tensor] = twin
        self._first.setdefault(memory_of(twin), id(twin))
        return twin

    def _is_own(self, twin: torch.Tensor) -> bool:
        """Whether a tensor is no view of another one."""
        return self._first.get(memory_of(twin)) == id(twin)

    def _twinned(self, value: Any) -> Any:
        """`value` with every tensor replaced by its twin, and every device by the one without content."""
        if isinstance(value, torch.Tensor):
            return self._twin(value)
        if isinstance(value, torch.device):
            return META
        if isinstance(value, (tuple, list)):
            return tuple(self._twinned(each) for each in value)
        return {key: self._twinned(each) for key, each in value.items()} if isinstance(value, dict) else value

    def _twin(self, tensor: torch.Tensor) -> torch.Tensor:
        """The twin of a tensor; one that is seen for the first time is a constant."""
        if tensor not in self._twins:
            twin = self._keep(tensor, _twin_of(tensor))
            path = self._names.get(id(tensor), "")
            self._stored[id(twin)] = path
            parameters = (path,) if isinstance(tensor, nn.Parameter) and path else ()
            self._note(path or "constant", "constant", path=path, outputs=(twin,), parameters=parameters)
        return self._twins[tensor]

    def _function(self, given: Given, made: Any) -> None:
        """Note a function, or the layer that it is."""
        outputs = tuple(tensors_in(made))
        read = tensors_in(() if str(given.function.overloadpacket) in ONLY_SHAPE else (given.args, given.kwargs))
        depends = any(memory_of(each) in self._data for each in read)
        if depends:
            self._data |= {memory_of(each) for each in outputs}
        if depends and is_layer(given) and not any(memory_of(each) in self._data for each in given.weights):
            self._layer(self._recognized(given), given.args[0], outputs)
            return
        name = str(given.function.overloadpacket).rpartition(".")[2]
        self._note(name, "function", target=given.function, args=given.args, kwargs=given.kwargs, outputs=outputs)

    def _recognized(self, given: Given) -> Recognized:
        names = [self._stored.get(id(each), "") for each in given.weights]
        return recognize(given, names=names, modules=self._modules, scope=self._scope[-1])

    def _layer(self, found: Recognized, data: torch.Tensor, outputs: tuple[torch.Tensor, ...]) -> None:
        self._note(
            found.path or "layer", "layer", path=found.path, layer=found.layer, args=(data, *found.tensors),
            outputs=outputs, parameters=found.parameters,
        )  # fmt: skip

    def _note(self, name: str, kind: Kind, **facts: Any) -> None:
        """Add a call. Dots become underscores; a name that comes again is numbered, as in a captured graph."""
        base = name.replace(".", "_")
        number = self._uses[base]
        self._uses[base] += 1
        unique = f"{base}_{number}" if number else base
        self.calls.append(Call(name=unique, kind=kind, scope=self._scope[-1], **{"outputs": (), "kwargs": {}, **facts}))


def _names_of(modules: Mapping[str, nn.Module]) -> dict[int, str]:
    """Stored tensor -> its first name. In one pass: torch's own two take a tenth of the time of a small model."""
    names: dict[int, str] = {}
    for path, module in modules.items():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                names.setdefault(id(tensor), f"{path}.{name}" if path else name)
    return names


def _entering(scope: list[str], path: str) -> Callable[..., None]:
    return lambda module, given: scope.append(path)


def _leaving(scope: list[str]) -> Callable[..., None]:
    def leave(module: nn.Module, given: Any, made: Any) -> None:
        scope.pop()

    return leave


def _twin_of(tensor: torch.Tensor) -> torch.Tensor:
    """The twin of a tensor; one without content is its own."""
    return tensor if tensor.device == META else hollow(tensor)


def _repeated(given: Given, result: Any) -> Any:
    """What a function makes without content; as in `result` where that has values and decides the sizes."""
    known = result_of(given)
    if known is not None:
        return known
    if result is None:
        return given.function(*given.args, **given.kwargs)
    try:
        made = given.function(*given.args, **given.kwargs)
        same = [each.shape for each in tensors_in(made)] == [each.shape for each in tensors_in(result)]
    except Exception:  # sizes that depend on values: kernels raise many types
        same = False
    return made if same else _like(result)


def _shares_memory(result: Any, given: list[torch.Tensor]) -> bool:
    memories = {memory_of(each) for each in given}
    return any(memory_of(each) in memories for each in tensors_in(result))


def _like(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty_like(value, device=META)
    return tuple(_like(each) for each in value) if isinstance(value, (tuple, list)) else value
