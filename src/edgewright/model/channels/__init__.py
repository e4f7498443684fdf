"""Coupled channels: what must leave a model together when it is made narrower.

    >>> channels = find_channels(net)          # net: a captured model
    >>> print(channels.table())

Method: every output channel of every layer gets an id, and every tensor of the graph a tensor of ids (`space`). A
walk over the graph (`walk`) applies views literally to the ids, couples ids that meet in elementwise operators, and
locks those that reach an operator it does not know (`rules`, `layer_rules`, `contract`). Classes of coupled ids that
touch the same layers form a group (`groups`).
"""

from __future__ import annotations

from torch import fx

from .ends import settle
from .groups import ChannelGroup, ChannelMap, Member, make_groups
from .space import Labels
from .trace import name_of
from .walk import trace

__all__ = ["ChannelGroup", "ChannelMap", "Labels", "Member", "find_channels", "name_of"]


def find_channels(net: fx.GraphModule) -> ChannelMap:
    """The coupled channels of a captured model. The model is not changed; nothing is computed with its weights."""
    seen = trace(net)
    settle(seen)
    return ChannelMap(groups=make_groups(seen), trace=seen)
