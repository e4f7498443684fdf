"""Which calls are operators at run time, and which memory each of them reads and writes.

Not operators are: *constants* (computed from weights alone, once, when the model is built), *views* of another tensor,
*quantizers* (every operator rounds its own output), and what is folded or fused (see `fusion`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ..model.floats import RoundActivation
from ..model.quantized import QuantizeActivation
from .buffers import Buffers, View
from .formulas import layer_type, work_of
from .fusion import can_fold, can_fuse, can_overwrite
from .tracing import ONLY_SHAPE, Call, Trace, memory_of
from .weights import Constant, constant_of_tensor, constants_of_layer
from .work import Work

OUTPUT = "output"
WRITES_BLINDLY = frozenset(("aten.copy_", "aten.fill_", "aten.zero_", "aten.copy", "aten.fill", "aten.zero"))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One call that computes. Rows with `fused_into` are done by another operator; they read and write nothing."""

    call: Call
    op: str
    work: Work | None  # None: no formula is known
    reads: tuple[View, ...]
    writes: tuple[View, ...]
    constants: tuple[Constant, ...]
    parameters: tuple[str, ...]  # names of the parameters that it reads
    fused_into: str | None
    folded: bool  # its work is in the weights of its host

    @property
    def name(self) -> str:
        return self.call.name


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The operators of a model in order, and the buffers that they share."""

    operators: tuple[Operator, ...]
    buffers: dict[int, tuple[View, ...]]  # buffer -> the memories that lie in it
    names: dict[int, str]  # buffer -> the node that writes it first
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def schedule(trace: Trace, *, fused: bool = True) -> Schedule:
    """The operators of a traced model.

    Args:
        trace: its calls.
        fused: fold, fuse and overwrite as `fusion` describes; False: every call has an output of its own.
    """
    plan = _Plan(trace, fused=fused)
    operators = tuple(plan.operator(call) for call in plan.computing)
    inputs = [each for call in plan.calls if call.kind == "input" for each in call.outputs]
    outputs = [each for call in plan.calls if call.kind == OUTPUT for each in plan.data(call)]
    return Schedule(
        operators=operators,
        buffers=plan.buffers.extents(),
        names=plan.buffers.names(),
        inputs=tuple(dict.fromkeys(plan.buffers.of(each) for each in inputs)),
        outputs=tuple(dict.fromkeys(plan.buffers.of(each) for each in outputs)),
    )


class _Plan:
    """Walks the calls: sets constants apart, notes who writes and reads what, then finds hosts."""

    def __init__(self, trace: Trace, *, fused: bool) -> None:
        self.constants: dict[int, tuple[str, tuple[str, ...]]] = {}  # memory -> node, parameters behind it
        self.absorbed: dict[str, list[tuple[torch.Tensor, str, tuple[str, ...]]]] = {}  # call -> constants it changes
        self.calls = [call for call in trace.calls if not self._set_apart(call)]
        self.buffers = Buffers()
        self.computing = [call for call in self.calls if self._write(call)]
        self.made_by = self._find_makers()
        self.readers = self._count_readers()
        self.hosts: dict[str, str] = {}  # call -> operator that does its work
        self.folding: dict[str, str] = {}  # operator -> normalization in its weights
        if fused:
            self._find_hosts()

    def data(self, call: Call) -> list[torch.Tensor]:
        """The tensors that a call reads and that depend on the input, each once."""
        if call.function in ONLY_SHAPE:
            return []
        unique = {
            (memory_of(each), each.storage_offset(), tuple(each.shape), each.stride()): each for each in call.inputs
        }
        return [each for each in unique.values() if memory_of(each) not in self.constants]

    def _set_apart(self, call: Call) -> bool:
        """Whether the tensors that a call makes depend on weights alone."""
        if call.kind in ("input", OUTPUT) or self.data(call):
            for each in call.outputs:  # a constant that data is written into is none any more
                constant = self.constants.pop(memory_of(each), None)
                if constant is not None and call.function not in WRITES_BLINDLY:
                    self.absorbed.setdefault(call.name, []).append((each, *constant))
            return False
        inputs = [] if call.function in ONLY_SHAPE else call.inputs
        origins = [name for each in inputs for name in self.constants[memory_of(each)][1]]
        origins += call.parameters
        for each in call.outputs:
            self.constants.setdefault(memory_of(each), (call.name, tuple(dict.fromkeys(origins))))
        return True

    def _write(self, call: Call) -> bool:
        """Note what a call writes; whether it computes anything."""
        if call.kind == OUTPUT:
            return False
        fresh = [each for each in call.outputs if not self.buffers.holds(each)]
        for each in fresh:
            self.buffers.write(each, call.name)
        if is_quantizer(call):
            self.buffers.join(call.out, self.data(call)[0])
            return False
        return call.kind != "input" and (bool(fresh) or writes_over(call))

    def _find_makers(self) -> dict[int, str]:
        """Tensor -> the call that made it; a quantized tensor is as good as the one that was quantized."""
        made_by: dict[int, str] = {}
        for call in self.calls:
            maker = made_by.get(id(call.inputs[0]), call.name) if is_quantizer(call) else call.name
            made_by |= {id(each): maker for each in call.outputs}
        return made_by

    def _count_readers(self) -> dict[int, set[str]]:
        readers: dict[int, set[str]] = {}
        computing = {call.name for call in self.computing} | {OUTPUT}
        for call in self.calls:
            if call.name in computing or call.kind == OUTPUT:
                for each in self.data(call):
                    readers.setdefault(self.buffers.of(each), set()).add(call.name)
        return readers

    def _find_hosts(self) -> None:
        by_name = {call.name: call for call in self.computing}
        uses = Counter(call.weights_key for call in self.computing if call.layer is not None)
        last_writer = {self.buffers.of(each): call.name for call in self.computing for each in call.outputs}
        for call in self.computing:
            source = self._only_source(call)
            host = by_name.get(last_writer.get(self.buffers.of(source), "")) if source is not None else None
            if source is None or host is None or len(call.outputs) > 1:
                continue
            direct = self.made_by.get(id(call.inputs[0])) == host.name
            if direct and can_fold(call, host, calls_of_layer=uses[host.weights_key]):
                self.hosts[call.name] = host.name
                self.folding[host.name] = call.name
            elif can_fuse(call, host):
                self.hosts[call.name] = host.name
            elif not can_overwrite(call):
                continue
            readers = self.readers.get(self.buffers.of(call.out), set())
            self.buffers.join(call.out, source)
            self.readers[self.buffers.of(source)] = readers
            last_writer[self.buffers.of(source)] = self.hosts.get(call.name, call.name)

    def _only_source(self, call: Call) -> torch.Tensor | None:
        """The one tensor that `call` reads, if it is alone to read it and makes as much as it reads."""
        sources = self.data(call)
        if len(sources) != 1 or self.readers.get(self.buffers.of(sources[0])) != {call.name}:
            return None
        same = sources[0].numel() == call.out.numel() and sources[0].dtype == call.out.dtype
        return sources[0] if same and self.buffers.fills(sources[0]) else None

    def operator(self, call: Call) -> Operator:
        """The finished row of a call."""
        host = self.hosts.get(call.name)
        folded = self.folding.get(host or "") == call.name
        constants, parameters = self._constants(call)
        work = Work() if folded else work_of(call)
        return Operator(
            call=call,
            op=layer_type(call.layer) if call.layer is not None else call.function,
            work=work,
            reads=() if host else tuple(self.buffers.see(each) for each in self._read(call)),
            writes=() if host else tuple(self.buffers.see(each) for each in call.outputs if self.buffers.holds(each)),
            constants=() if folded else constants,
            parameters=parameters,
            fused_into=host,
            folded=folded,
        )

    def _read(self, call: Call) -> list[torch.Tensor]:
        """The data that a call looks at; what it writes over without looking is not among it."""
        blind = call.inputs[0] if call.function in WRITES_BLINDLY else None
        return [each for each in self.data(call) if each is not blind]

    def _constants(self, call: Call) -> tuple[tuple[Constant, ...], tuple[str, ...]]:
        found: list[Constant] = []
        names: list[str] = []
        if call.layer is not None:
            found += constants_of_layer(call, folds_norm=call.name in self.folding)
            names += call.parameters
        for each in call.inputs:
            if memory_of(each) in self.constants:
                node, origins = self.constants[memory_of(each)]
                if call.layer is None:
                    found.append(constant_of_tensor(node, each))
                names += origins
        for tensor, node, origins in self.absorbed.get(call.name, []):
            found.append(constant_of_tensor(node, tensor))
            names += origins
        return tuple(found), tuple(dict.fromkeys(names))


def is_quantizer(call: Call) -> bool:
    """Whether a call only rounds its input to a grid of integers."""
    return isinstance(call.layer, (QuantizeActivation, RoundActivation)) or call.function == "edgewright.fake_quantize"


def writes_over(call: Call) -> bool:
    """Whether a function changes its first argument in place, which recording leaves only where that is a view."""
    target = call.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def unknown_operators(operators: Iterable[Operator]) -> tuple[str, ...]:
    """Operators without a formula, as `function (node)`."""
    return tuple(f"{each.op} ({each.name})" for each in operators if each.work is None)
