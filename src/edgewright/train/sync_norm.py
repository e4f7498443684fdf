"""Batch norm over the batches of several processes together, as if they were one.

torch's `SyncBatchNorm` runs on accelerators only; on the CPU this does the same with one exchange each way. Averaging
the processes' variances would lose the spread of their means: of the shards (0, 2) and (10, 12) each variance is 1, and
that of all four values is 26.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import UnsupportedError

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def synchronized(net: nn.Module, device: torch.device) -> nn.Module:
    """`net` with every batch norm replaced by one that looks at all processes; names and tensors stay.

    Raises:
        UnsupportedError: a batch norm has a forward pass of its own, which nobody knows how to synchronize.
    """
    for name, layer in net.named_modules():
        if isinstance(layer, _BatchNorm) and type(layer) not in PLAIN:
            raise UnsupportedError(
                f"The batch norm '{name}' is a {type(layer).__name__}, and only plain ones are synchronized between "
                "processes: capture the model first, or train it in one process."
            )
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-any-return]
    for layer in net.modules():
        if type(layer) in PLAIN:
            layer.__class__ = SyncBatchNorm  # the same object: layers that are shared stay shared
    return net


class SyncBatchNorm(_BatchNorm):
    """A batch norm whose statistics, while it trains, are those of all processes' batches together."""

    def _check_input_dim(self, inputs: torch.Tensor) -> None:
        """Any number of axes will do: channels are the second."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(inputs)
        scale, shift = self._scale_and_shift(inputs)
        outputs, mean_C, var_C, count = _Normalize.apply(inputs, scale, shift, self.eps)  # type: ignore[no-untyped-call]
        if self.track_running_stats:
            self._remember(mean_C, var_C * count / (count - 1))
        return outputs  # type: ignore[no-any-return]

    def _scale_and_shift(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.weight is not None:
            return self.weight, self.bias
        return inputs.new_ones(self.num_features), inputs.new_zeros(self.num_features)

    def _remember(self, mean_C: torch.Tensor, unbiased_C: torch.Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), share)
            self.running_var.lerp_(unbiased_C.to(self.running_var.dtype), share)


class _Normalize(torch.autograd.Function):
    """(inputs, scale, shift, eps) -> (outputs, mean, biased variance, number of values), over all processes.

    Source of the joined variance: Chan, Golub, LeVeque 1983 (sums of squares about each process's own mean).
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, scale_C: torch.Tensor, shift_C: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
        values = inputs.float()
        axes = [axis for axis in range(values.dim()) if axis != 1]
        var_C, mean_C = torch.var_mean(values, dim=axes, correction=0)
        own = values.numel() / values.shape[1]
        counts_P1, means_PC, vars_PC = _gather(own, mean_C, var_C)
        count = float(counts_P1.sum())
        mean_C = (counts_P1 * means_PC).sum(dim=0) / count
        var_C = (counts_P1 * (vars_PC + (means_PC - mean_C).square())).sum(dim=0) / count
        inverse_C = (var_C + eps).rsqrt()
        ctx.save_for_backward(inputs, scale_C, mean_C, inverse_C)
        ctx.count = count
        outputs = functional.batch_norm(values, mean_C, var_C, scale_C.float(), shift_C.float(), False, 0.0, eps)
        ctx.mark_non_differentiable(mean_C, var_C)
        return outputs.to(inputs.dtype), mean_C, var_C, count

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        inputs, scale_C, mean_C, inverse_C = ctx.saved_tensors
        slope = slopes[0].float()
        axes = [axis for axis in range(slope.dim()) if axis != 1]
        per_channel = [1, -1, *[1] * (slope.dim() - 2)]
        unit = (inputs.float() - mean_C.view(per_channel)) * inverse_C.view(per_channel)
        own_2C = torch.stack([slope.sum(dim=axes), (slope * unit).sum(dim=axes)])
        all_2C = own_2C.clone()
        dist.all_reduce(all_2C)
        centre, slant = (sums_C.view(per_channel) / ctx.count for sums_C in all_2C)
        towards_inputs = (scale_C.float() * inverse_C).view(per_channel) * (slope - centre - unit * slant)
        return towards_inputs.to(inputs.dtype), own_2C[1].to(scale_C.dtype), own_2C[0].to(scale_C.dtype), None


def _gather(count: float, mean_C: torch.Tensor, var_C: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Counts (P, 1), means and variances (P, C) of all P processes."""
    own = torch.cat([mean_C.new_tensor([count]), mean_C, var_C])
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(found, own)
    stacked = torch.stack(found)
    counts_P1, means_PC, vars_PC = stacked.split([1, len(mean_C), len(var_C)], dim=1)
    return counts_P1, means_PC, vars_PC
