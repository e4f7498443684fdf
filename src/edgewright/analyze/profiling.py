"""`profile()`: the one call that says what a model costs, and `cost_of()` for the bare figures."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx, nn

from ..errors import ConfigError, ModelError
from ..model import is_captured
from ..types import BYTES_PER_ELEMENT, Cost, Device, ModelProfile, OpProfile
from .memory import peak
from .operators import Operator, Schedule, schedule, unknown_operators
from .pricing import priced, total_cost
from .recording import record
from .tracing import Trace, trace
from .weights import stored
from .windows import window_of


def profile(
    model: nn.Module, *, input_shape: tuple[int, ...] | None = None, batch: int = 1, device: Device | None = None,
    dtype: str = "float32", fused: bool = True,
) -> ModelProfile:  # fmt: skip
    """What a model costs for `batch` samples: a row per operator, and the totals.

    Args:
        model: any module; a captured one, quantized or not, is read from its graph, any other is recorded as it runs.
            It is not changed.
        input_shape: shape of one sample, such as (3, 224, 224); None for the shape that the model was captured with.
        batch: how many samples one call takes.
        device: where it is to run; None leaves out latency and energy.
        dtype: how weights and activations are stored: float32, float16, int8 or int4.
        fused: count as a runtime executes: batch normalization folded, clamps fused, elementwise functions in place.
            False counts every call as an operator of its own.

    Raises:
        ConfigError: the dtype is not one of the four.
        ModelError: the model does not run on such an input, or needs `input_shape`.
    """
    return profile_of(traced(model, input_shape, batch=batch), device=device, dtype=dtype, fused=fused)


def traced(model: nn.Module, input_shape: tuple[int, ...] | None = None, *, batch: int = 1) -> Trace:
    """The calls of any model: from its graph if it is captured, else as it runs.

    Raises:
        ModelError: the model does not run on such an input, or needs `input_shape`.
    """
    if is_captured(model):
        return trace(model, batch=batch, input_shape=input_shape)  # type: ignore[arg-type]
    if input_shape is None:
        kind = type(model).__name__
        raise ModelError(f"A {kind} does not say what it takes: give input_shape, for instance (3, 224, 224).")
    return record(model, input_shape, batch=batch, name=type(model).__name__)


def cost_of(net: fx.GraphModule, device: Device | None, dtype: str) -> Cost:
    """The totals of `profile` as a cost, every figure estimated."""
    return profile(net, device=device, dtype=dtype).cost


def profile_of(
    calls: Trace, *, device: Device | None = None, dtype: str = "float32", fused: bool = True
) -> ModelProfile:
    """`profile` of a model that is traced already: for the same model at several types or on several devices."""
    if dtype not in BYTES_PER_ELEMENT:
        raise ConfigError(f"dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{dtype}'.")
    plan = schedule(calls, fused=fused)
    rows = _rows(plan, calls, dtype)
    if device is not None:
        rows = tuple(priced(row, device, dtype) for row in rows)
    highest = peak(plan, dtype)
    profiled = ModelProfile(
        rows=rows,
        dtype=dtype,
        device=device.name if device is not None else None,
        params=sum(row.params for row in rows),
        buffers=sum(each.numel() for each in calls.net.buffers()),
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


def _rows(plan: Schedule, calls: Trace, dtype: str) -> tuple[OpProfile, ...]:
    sizes = {name: each.numel() for name, each in calls.net.named_parameters()}
    seen: set[str] = set()
    rows = []
    for operator in plan.operators:
        fresh = [name for name in operator.parameters if name not in seen]
        seen.update(fresh)
        rows.append(_row(operator, dtype, params=sum(sizes[name] for name in fresh)))
    return tuple(rows)


def _row(operator: Operator, dtype: str, *, params: int) -> OpProfile:
    call = operator.call
    moved = sum(view.num_bytes(dtype) for view in (*operator.reads, *operator.writes))
    return OpProfile(
        name=operator.name,
        layer=call.path if call.layer is not None else "",
        module=call.scope,
        op=operator.op,
        shape_in=_shape(call.inputs[0]) if call.inputs else (),
        shape_out=_shape(call.out),
        window=window_of(call),
        macs=operator.work.macs if operator.work else 0,
        elementwise=operator.work.elementwise if operator.work else 0,
        params=params,
        weight_bytes=stored(operator.constants, dtype).total,
        activation_bytes=moved,
        fused_into=operator.fused_into,
        counted=operator.work is not None,
    )


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape)
