"""What a cut can aim at: MACs, parameters, bytes, latency or peak RAM, as `analyze` counts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...types import Cost
from .allocate import Cost as Forecast
from .forecast import Forecaster

NEAR = 0.02  # a cut that was asked for keeps at most the share, and where the widths allow it at least 98 % of that


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One thing to keep a share of. `exact`: its forecast is what `analyze` counts, so no cut is needed to know it."""

    title: str  # "10 % of the ..."
    field: str  # of `Cost`
    forecast: Callable[[Forecaster], Forecast]
    exact: bool = False

    def of(self, cost: Cost) -> float:
        """Its value in a cost."""
        return float(getattr(cost, self.field))


QUANTITIES: Mapping[str, Quantity] = {
    "macs": Quantity(title="MACs", field="macs", forecast=lambda each: each.cost.macs, exact=True),
    "params": Quantity(title="parameters", field="params", forecast=lambda each: each.cost.params, exact=True),
    "bytes": Quantity(title="bytes", field="flash_bytes", forecast=lambda each: each.bytes),
    "latency": Quantity(title="latency", field="latency_s", forecast=lambda each: each.latency),
    "ram": Quantity(title="peak RAM", field="ram_bytes", forecast=lambda each: each.ram),
}
"""Name -> quantity; `Prune.keep_NAME` is the share of it that stays."""
