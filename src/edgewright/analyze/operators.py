"""Which calls are operators at run time, and which memory each of them reads and writes.

Not operators are: *constants* (computed from weights alone, once, when the model is built), *views* of another tensor,
*quantizers* (every operator rounds its own output), and what is folded or fused (see `fusion`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ..model.quantized import QuantizeActivation
from .buffers import Buffers, View
from .formulas import Work, layer_type, work_of
from .fusion import can_fold, can_fuse, can_overwrite
from .tracing import Call, Trace, memory_of
from .weights import Constant, constant_of_tensor, constants_of_layer

OUTPUT = "output"


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
    inputs = [each for call in plan.calls if call.node.op == "placeholder" for each in call.outputs]
    outputs = [each for call in plan.calls if call.node.op == OUTPUT for each in plan.data(call)]
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
        self.calls = [call for call in trace.calls if not self._set_apart(call)]
        self.buffers = Buffers()
        self.computing = [call for call in self.calls if self._write(call)]
        self.readers = self._count_readers()
        self.hosts: dict[str, str] = {}  # call -> operator that does its work
        self.folding: dict[str, str] = {}  # operator -> normalization in its weights
        if fused:
            self._find_hosts()

    def data(self, call: Call) -> list[torch.Tensor]:
        """The tensors that a call reads and that depend on the input, each once."""
        unique = {
            (memory_of(each), each.storage_offset(), tuple(each.shape), each.stride()): each for each in call.inputs
        }
        return [each for each in unique.values() if memory_of(each) not in self.constants]

    def _set_apart(self, call: Call) -> bool:
        """Whether the tensors that a call makes depend on weights alone."""
        if call.node.op in ("placeholder", OUTPUT) or self.data(call):
            return False
        origins = [name for each in call.inputs for name in self.constants[memory_of(each)][1]]
        if call.node.op == "get_attr" and any(isinstance(each, torch.nn.Parameter) for each in call.outputs):
            origins = [str(call.node.target)]
        elif call.layer is not None:
            origins += [f"{call.node.target}.{name}" for name, _ in call.layer.named_parameters()]
        for each in call.outputs:
            self.constants.setdefault(memory_of(each), (call.name, tuple(dict.fromkeys(origins))))
        return True

    def _write(self, call: Call) -> bool:
        """Note what a call writes; whether it computes anything."""
        fresh = [each for each in call.outputs if not self.buffers.holds(each)]
        if call.node.op == OUTPUT:
            return False
        for each in fresh:
            self.buffers.write(each, call.name)
        if is_quantizer(call):
            self.buffers.join(call.out, self.data(call)[0])
        return bool(fresh) and call.node.op != "placeholder" and not is_quantizer(call)

    def _count_readers(self) -> dict[int, set[str]]:
        readers: dict[int, set[str]] = {}
        computing = {call.name for call in self.computing} | {OUTPUT}
        for call in self.calls:
            if call.name in computing or call.node.op == OUTPUT:
                for each in self.data(call):
                    readers.setdefault(self.buffers.of(each), set()).add(call.name)
        return readers

    def _find_hosts(self) -> None:
        by_name = {call.name: call for call in self.computing}
        uses = Counter(str(call.node.target) for call in self.computing if call.layer is not None)
        last_writer = {self.buffers.of(each): call.name for call in self.computing for each in call.outputs}
        for call in self.computing:
            source = self._only_source(call)
            host = by_name.get(last_writer.get(self.buffers.of(source), "")) if source is not None else None
            if source is None or host is None or len(call.outputs) > 1:
                continue
            direct = _producer(call) == host.name
            if direct and can_fold(call, host, calls_of_layer=uses[str(host.node.target)]):
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
            reads=() if host else tuple(self.buffers.see(each) for each in self.data(call)),
            writes=() if host else tuple(self.buffers.see(each) for each in call.outputs if self.buffers.holds(each)),
            constants=() if folded else constants,
            parameters=parameters,
            fused_into=host,
            folded=folded,
        )

    def _constants(self, call: Call) -> tuple[tuple[Constant, ...], tuple[str, ...]]:
        found: list[Constant] = []
        names: list[str] = []
        if call.layer is not None:
            found += constants_of_layer(call, folds_norm=call.name in self.folding)
            names += [f"{call.node.target}.{name}" for name, _ in call.layer.named_parameters()]
        for each in call.inputs:
            if memory_of(each) in self.constants:
                node, origins = self.constants[memory_of(each)]
                found.append(constant_of_tensor(node, each))
                names += origins
        return tuple(found), tuple(dict.fromkeys(names))


def is_quantizer(call: Call) -> bool:
    """Whether a call only rounds its input to a grid of integers."""
    return isinstance(call.layer, QuantizeActivation) or call.function == "edgewright.fake_quantize"


def _producer(call: Call) -> str:
    """The name of the node that makes the first argument of a call, quantizers passed over."""
    node = call.node.args[0]
    while isinstance(node, torch.fx.Node) and _rounds(node):
        node = node.args[0]
    return node.name if isinstance(node, torch.fx.Node) else ""


def _rounds(node: torch.fx.Node) -> bool:
    module = node.graph.owning_module
    if node.op == "call_module" and module is not None:
        return isinstance(module.get_submodule(str(node.target)), QuantizeActivation)
    return False


def unknown_operators(operators: Iterable[Operator]) -> tuple[str, ...]:
    """Operators without a formula, as `function (node)`."""
    return tuple(f"{each.op} ({each.name})" for each in operators if each.work is None)
