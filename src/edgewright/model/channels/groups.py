"""Coupled groups: which channels of which layers leave a model together, and which must stay and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ...errors import ConfigError, unknown_name
from .space import NOBODY, Labels
from .trace import Trace

Side = Literal["out", "in", "scale", "loose"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """The part of one layer that belongs to a group: `positions[i]` are its channels of class i."""

    path: str  # layer, or name of a loose parameter
    side: Side  # rows made, columns read, elements of a normalization, elements of a loose parameter
    positions: tuple[tuple[int, ...], ...]

    @property
    def num_channels(self) -> int:
        return sum(len(each) for each in self.positions)


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Channels that touch the same layers. A class is the smallest part that can be removed; a group has one `keep`.

    `locked` says why no class can be removed, None if any can.
    """

    name: str
    classes: tuple[int, ...]
    members: tuple[Member, ...]
    locked: str | None = None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def width(self) -> int:
        """Channels that leave with one class, in the layer that loses most of those that make them."""
        made = [member for member in self.members if member.side == "out"] or list(self.members)
        return max(member.num_channels for member in made) // self.num_classes

    def layers(self, *sides: Side) -> tuple[str, ...]:
        """The layers that the group touches on these sides, in graph order."""
        return tuple(member.path for member in self.members if member.side in sides)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelMap:
    """All that is known about the channels of one captured model."""

    groups: tuple[ChannelGroup, ...]
    trace: Trace

    def group(self, name: str) -> ChannelGroup:
        for group in self.groups:
            if group.name == name:
                return group
        names = [group.name for group in self.groups]
        raise unknown_name("channel group", name, names, command="print(find_channels(net).table())")

    @property
    def free(self) -> tuple[ChannelGroup, ...]:
        """The groups that can lose channels."""
        return tuple(group for group in self.groups if group.locked is None and group.num_classes > 1)

    def table(self) -> str:
        """All groups as text, one a line."""
        return format_table(self.groups)

    def dropped(self, drop: Mapping[str, Sequence[int]]) -> torch.Tensor:
        """The class ids named by `drop` (group name -> indices into its classes), sorted.

        Raises:
            LookupFailed: no such group.
            ConfigError: the group is locked, an index is out of range, or nothing would stay.
        """
        gone: list[int] = []
        for name, indices in drop.items():
            group, chosen = self.group(name), sorted(set(indices))
            if chosen and group.locked is not None:
                raise ConfigError(f"Group '{name}' cannot be cut because {group.locked}.")
            if foreign := [index for index in chosen if not 0 <= index < group.num_classes]:
                raise ConfigError(
                    f"Group '{name}' has classes 0 to {group.num_classes - 1}, got {foreign[0]} in `drop`."
                )
            if len(chosen) == group.num_classes:
                raise ConfigError(
                    f"Dropping all {len(chosen)} classes of group '{name}' leaves nothing: keep at least 1."
                )
            gone += [group.classes[index] for index in chosen]
        return torch.tensor(sorted(gone), dtype=torch.long)


def format_table(groups: Sequence[ChannelGroup]) -> str:
    """One line a group: its classes, the layers that make and read its channels, and why it must stay."""
    rows = [("group", "classes", "made by", "read by", "")]
    for group in groups:
        classes = f"{group.num_classes} x {group.width}" if group.width > 1 else str(group.num_classes)
        locked = "" if group.locked is None else f"cannot be cut because {group.locked}"
        rows.append((group.name, classes, _short(group.layers("out")), _short(group.layers("in")), locked))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for name, classes, *rest in rows:
        cells = [name.ljust(widths[0]), classes.rjust(widths[1]), rest[0].ljust(widths[2]), rest[1].ljust(widths[3])]
        lines.append("  ".join([*cells, rest[2]]).rstrip())
    return "\n".join(lines)


def _short(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:2])
    return f"{shown} and {len(paths) - 2} more" if len(paths) > 2 else shown


Touch = tuple[str, Side]


def make_groups(seen: Trace) -> tuple[ChannelGroup, ...]:
    """Classes with the same layers and the same reason, in the order in which the graph first touches them."""
    touched: dict[int, dict[Touch, list[int]]] = defaultdict(lambda: defaultdict(list))
    for touch, ids in _touches(seen):
        for position, root in enumerate(seen.space.find(ids).tolist()):
            if root != NOBODY:
                touched[root][touch].append(position)
    reasons = seen.space.reasons()
    groups: dict[tuple[frozenset[Touch], str | None], list[int]] = defaultdict(list)
    for root in touched:
        if all(side == "loose" for _, side in touched[root]):
            continue  # a mask or a table of positions: no layer makes or reads it
        groups[frozenset(touched[root]), reasons.get(root)].append(root)
    return _named([(sorted(roots), reason) for (_, reason), roots in groups.items()], touched)


def _touches(seen: Trace) -> list[tuple[Touch, torch.Tensor]]:
    """Each place that holds channels, with their ids, in graph order."""
    found: list[tuple[Touch, torch.Tensor]] = []
    for path in seen.layers:
        layer = seen.layers[path]
        if layer.into is not None:
            found.append(((path, "in"), layer.into))
        if layer.out is not None:
            found.append(((path, "out"), layer.out))
        if layer.scale is not None and layer.scale.axes:
            found.append(((path, "scale"), layer.scale.ids.reshape(-1)))
    found += [((name, "loose"), _line(seen, labels)) for name, labels in seen.params.items()]
    return found


def _line(seen: Trace, labels: Labels) -> torch.Tensor:
    return seen.space.settle(labels).ids.reshape(-1)


def _named(
    grouped: list[tuple[list[int], str | None]], touched: Mapping[int, Mapping[Touch, list[int]]]
) -> tuple[ChannelGroup, ...]:
    """Groups named after the first layer that makes their channels (`conv1.in`: none does); namesakes are numbered."""
    taken: dict[str, int] = defaultdict(int)
    groups = []
    for roots, reason in grouped:
        touches = list(touched[roots[0]])
        first = next((path for path, side in touches if side == "out"), f"{touches[0][0]}.{touches[0][1]}")
        taken[first] += 1
        name = first if taken[first] == 1 else f"{first}#{taken[first]}"
        members = tuple(
            Member(path=path, side=side, positions=tuple(tuple(touched[root][path, side]) for root in roots))
            for path, side in touches
        )
        groups.append(ChannelGroup(name=name, classes=tuple(roots), members=members, locked=reason))
    return tuple(groups)
