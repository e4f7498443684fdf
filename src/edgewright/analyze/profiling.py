"""`profile()`: the one call that says what a model costs, and `cost_of()` for the bare figures."""

from __future__ import annotations

from dataclasses import replace

from torch import fx

from ..errors import ConfigError
from ..types import BYTES_PER_ELEMENT, Cost, Device, ModelProfile, OpProfile
from .memory import peak
from .operators import Operator, Schedule, schedule, unknown_operators
from .pricing import priced, total_cost
from .tracing import Trace, trace
from .weights import stored


def profile(
    net: fx.GraphModule, *, device: Device | None = None, dtype: str = "float32", fused: bool = True
) -> ModelProfile:
    """What a captured model costs for one sample: a row per operator, and the totals.

    Args:
        net: a captured model, quantized or not. It is not changed.
        device: where it is to run; None leaves out latency and energy.
        dtype: how weights and activations are stored: float32, float16, int8 or int4.
        fused: count as a runtime executes: batch normalization folded, clamps fused, elementwise functions in place.
            False counts every call as an operator of its own.

    Raises:
        ConfigError: the dtype is not one of the four.
        ModelError: the model is not captured.
    """
    return profile_of(trace(net), device=device, dtype=dtype, fused=fused)


def cost_of(net: fx.GraphModule, device: Device | None, dtype: str) -> Cost:
    """The totals of `profile` as a cost, every figure estimated."""
    return profile(net, device=device, dtype=dtype).cost


def profile_of(
    traced: Trace, *, device: Device | None = None, dtype: str = "float32", fused: bool = True
) -> ModelProfile:
    """`profile` of a model that is traced already: for the same model at several types or on several devices."""
    if dtype not in BYTES_PER_ELEMENT:
        raise ConfigError(f"dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{dtype}'.")
    plan = schedule(traced, fused=fused)
    rows = _rows(plan, traced, dtype)
    if device is not None:
        rows = tuple(priced(row, device, dtype) for row in rows)
    highest = peak(plan, dtype)
    profiled = ModelProfile(
        rows=rows,
        dtype=dtype,
        device=device.name if device is not None else None,
        params=sum(row.params for row in rows),
        buffers=sum(each.numel() for each in traced.net.buffers()),
        macs=sum(row.macs for row in rows),
        elementwise=sum(row.elementwise for row in rows),
        weight_bytes=stored((part for each in plan.operators for part in each.constants), dtype).total,
        peak_ram_bytes=highest.num_bytes,
        peak_at=highest.operator,
        peak_tensors=tuple(highest.live),
        unknown=unknown_operators(plan.operators),
    )
    return _with_cost(profiled, device)


def _with_cost(profiled: ModelProfile, device: Device | None) -> ModelProfile:
    return replace(profiled, cost=total_cost(profiled, device))


def _rows(plan: Schedule, traced: Trace, dtype: str) -> tuple[OpProfile, ...]:
    sizes = {name: each.numel() for name, each in traced.net.named_parameters()}
    seen: set[str] = set()
    rows = []
    for operator in plan.operators:
        fresh = [name for name in operator.parameters if name not in seen]
        seen.update(fresh)
        rows.append(_row(operator, dtype, params=sum(sizes[name] for name in fresh)))
    return tuple(rows)


def _row(operator: Operator, dtype: str, *, params: int) -> OpProfile:
    node = operator.call.node
    moved = sum(view.num_bytes(dtype) for view in (*operator.reads, *operator.writes))
    return OpProfile(
        name=operator.name,
        layer=str(node.target) if node.op == "call_module" else "",
        op=operator.op,
        shape_out=tuple(int(size) for size in operator.call.out.shape),
        macs=operator.work.macs if operator.work else 0,
        elementwise=operator.work.elementwise if operator.work else 0,
        params=params,
        weight_bytes=stored(operator.constants, dtype).total,
        activation_bytes=moved,
        fused_into=operator.fused_into,
    )
