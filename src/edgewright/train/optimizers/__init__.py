"""Optimizers under their standard names, from PyTorch and timm; ours where nobody has one."""

from ..groups import Groups
from .lookahead import Lookahead
from .make import build, end_epoch, make_optimizer, names_optimizer, optimizer_of, rule_of
from .proximal import elastic_net_step, shrink, soft_threshold
from .rules import OPTIMIZERS
from .switch import AdamToSgd

__all__ = [
    "OPTIMIZERS",
    "AdamToSgd",
    "Groups",
    "Lookahead",
    "build",
    "elastic_net_step",
    "end_epoch",
    "make_optimizer",
    "names_optimizer",
    "optimizer_of",
    "rule_of",
    "shrink",
    "soft_threshold",
]
