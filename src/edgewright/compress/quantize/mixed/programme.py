"""The choice of bits as an integer programme, solved to proven optimality.

    z[l, b, a] = 1    layer l has weights of b bits and reads a tensor of a bits
    y[p, a]    = 1    point p has a bits

    minimize    sum loss[l, b] z[l, b, a] + sum loss[p, a] y[p, a]
    subject to  sum over a of y[p, a] = 1                            every point has one width
                sum over b of z[l, b, a] = y[p, a]                   a layer reads what its point is; p = its input
                sum cost[l, b, a] z[l, b, a] <= limit                one row for each cost that is a sum
                sum bytes[p, a] y[p, a] <= limit                     one row for each execution point

Without activations to choose this is the multiple-choice knapsack. The solver works in
floating point, so each answer is checked in exact numbers, and one that breaks a limit is cut off and solved again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ....errors import ConfigError
from ..precision import Precision
from .costs import BitCosts, Limits
from .probe import Part
from .solver import SPREAD, Equations, Row, least_peak, least_sum

Losses = Mapping[Part, Mapping[int, float]]
DEFAULT_BITS = 8
MOST_CUTS = 50


@dataclass(frozen=True, kw_only=True)
class Column:
    """One binary variable. For a point, `bits` is None."""

    layer: str | None
    point: str
    bits: int | None
    read_bits: int
    loss: float


class Programme:
    """All variables and rows of one network.

    Args:
        losses: per part and number of bits; a part that is missing has 8 bits.
        costs: of the network.

    Raises:
        ConfigError: a loss is of a part that the network does not have.
    """

    def __init__(self, losses: Losses, costs: BitCosts) -> None:
        self.costs = costs
        known = {Part(kind="weights", name=layer) for layer in costs.reads}
        known |= {Part(kind="activations", name=point) for point in costs.leader.values()}
        strangers = sorted(part.name for part in set(losses) - known)
        if strangers:
            raise ConfigError(f"There is no layer or tensor '{strangers[0]}' in the costs: measure the same network.")
        alone = {DEFAULT_BITS: 0.0}
        points = dict.fromkeys(costs.leader.values())
        self.layers = {name: losses.get(Part(kind="weights", name=name), alone) for name in costs.reads}
        self.points = {name: losses.get(Part(kind="activations", name=name), alone) for name in points}
        self.columns = [*self._point_columns(), *self._layer_columns()]

    # -- variables ---------------------------------------------------------------------------------------------------
    def _point_columns(self) -> list[Column]:
        return [
            Column(layer=None, point=point, bits=None, read_bits=bits, loss=loss)
            for point, choices in self.points.items()
            for bits, loss in choices.items()
        ]

    def _layer_columns(self) -> list[Column]:
        return [
            Column(layer=layer, point=self.read_by(layer), bits=bits, read_bits=read_bits, loss=loss)
            for layer, choices in self.layers.items()
            for bits, loss in choices.items()
            for read_bits in self.points[self.read_by(layer)]
        ]

    def read_by(self, layer: str) -> str:
        """The first of the points whose bits a layer reads."""
        return self.costs.leader[self.costs.reads[layer]]

    def precision(self, chosen: np.ndarray) -> Precision:
        """What a solution says."""
        picked = [column for column, on in zip(self.columns, chosen, strict=True) if on]
        points = {each.point: each.read_bits for each in picked if each.layer is None}
        layers = {each.layer: each.bits for each in picked if each.layer is not None and each.bits is not None}
        members = {member: points[lead] for member, lead in self.costs.leader.items()}
        return Precision(layers={name: layers[name] for name in self.costs.reads}, points=members)

    def loss(self, precision: Precision) -> float:
        """The predicted loss of a choice."""
        layers = sum(choices[precision.of_layer(layer)] for layer, choices in self.layers.items())
        return layers + sum(choices[precision.of_point(point)] for point, choices in self.points.items())

    # -- rows --------------------------------------------------------------------------------------------------------
    def rows(self, name: str) -> list[Row]:
        """The rows of one cost: of a sum one, of activation bytes one per execution point."""
        if name == "activation_bytes":
            return [self._alive(place) for place in range(len(self.costs.moments))]
        if name == "latency_s" and self.costs.seconds is None:
            raise ConfigError("There is no latency to limit: give a device, or the seconds of each layer.")
        values = [
            0.0 if each.layer is None or each.bits is None
            else self.costs.of_layer(each.layer, each.bits, each.read_bits)[name]
            for each in self.columns
        ]  # fmt: skip
        return [Row(values=np.array(values), fixed=self.costs.other_seconds if name == "latency_s" else 0.0)]

    def _alive(self, place: int) -> Row:
        moment = self.costs.moments[place]
        alone = replace(moment, fixed_bytes=0)
        values = np.zeros(len(self.columns))
        for index, each in enumerate(self.columns):
            if each.layer is None:
                held = {name: count for name, count in moment.values.items() if self.costs.leader[name] == each.point}
                values[index] = replace(alone, values=held).num_bytes(dict.fromkeys(held, each.read_bits).__getitem__)
        return Row(values=values, fixed=moment.fixed_bytes)

    @cached_property
    def structure(self) -> Equations:
        """Every point has one width, and every layer reads its point's."""
        pairs = [(layer, bits) for layer in self.layers for bits in self.points[self.read_by(layer)]]
        of_point = {point: row for row, point in enumerate(self.points)}
        of_pair = {pair: row for row, pair in enumerate(pairs, start=len(of_point))}
        matrix = np.zeros((len(of_point) + len(of_pair), len(self.columns)))
        for index, each in enumerate(self.columns):
            if each.layer is None:
                matrix[of_point[each.point], index] = 1.0
                readers = [layer for layer in self.layers if self.read_by(layer) == each.point]
                matrix[[of_pair[layer, each.read_bits] for layer in readers], index] = -1.0
            else:
                matrix[of_pair[each.layer, each.read_bits], index] = 1.0
        return Equations(matrix=matrix, right=np.array([1.0] * len(of_point) + [0.0] * len(of_pair)))

    # -- solving -----------------------------------------------------------------------------------------------------
    def cheapest(self, limits: Limits) -> Precision | None:
        """The choice of least loss within `limits`; None where there is none.

        Of equals (a score of few samples has many) the one that rounds least: a second programme, in which the loss
        may be no larger, minimizes the sum of 4^-bits, to which the power of rounding noise is proportional.
        """
        losses = np.array([each.loss for each in self.columns])
        noise = np.array([4.0 ** -(each.read_bits if each.bits is None else each.bits) for each in self.columns])
        best = self._best(losses, limits)
        if best is None:
            return None
        unit = SPREAD / losses.max() if losses.max() > 0 else 1.0
        no_worse = (Row(values=losses * unit, fixed=0.0), self.loss(best) * unit)
        finer = self._best(noise, limits, no_worse)
        return finer if finer is not None and self.loss(finer) <= self.loss(best) * (1 + 1e-12) else best

    def _best(self, objective: np.ndarray, limits: Limits, *more: tuple[Row, float]) -> Precision | None:
        rows = [*self._limited(limits), *more]
        for _ in range(MOST_CUTS):
            chosen = least_sum(objective, self.structure, rows)
            if chosen is None:
                return None
            precision = self.precision(chosen)
            if self.costs.spent(precision).within(limits):
                return precision
            rows.append((Row(values=chosen, fixed=0.0), chosen.sum() - 1))  # not this one: rounding hid its excess
        return None

    def least(self, name: str, limits: Limits) -> float | None:
        """The smallest value of one cost within `limits`; None where nothing is within them."""
        chosen = least_peak(self.rows(name), self.structure, self._limited(limits))
        return None if chosen is None else getattr(self.costs.spent(self.precision(chosen)), name)

    def _limited(self, limits: Limits) -> list[tuple[Row, float]]:
        return [(row, limit) for name, limit in limits.given().items() for row in self.rows(name)]
