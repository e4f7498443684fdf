"""One arena for everything that a network needs while it runs, planned ahead of time.

    buffers and overlaps --plan--> offsets --check--> C, a table, a picture

Plain records in, plain records out: nothing here knows of networks but `program`, which reads them off one.
"""

from .checking import check
from .distances import (
    RowWindow,
    block_lead_bytes,
    channel_band_lead_bytes,
    channel_lead_bytes,
    channel_rise_bytes,
    lead_bytes,
    pixel_by_pixel,
    pixel_lead_bytes,
    pixel_rise_bytes,
    rise_bytes,
)
from .liveness import liveness_bound
from .picture import COLUMNS, draw, headline, table
from .planner import plan
from .records import Bound, Buffer, Overlap, Piece, Plan

__all__ = [
    "COLUMNS",
    "Bound",
    "Buffer",
    "Overlap",
    "Piece",
    "Plan",
    "RowWindow",
    "block_lead_bytes",
    "channel_band_lead_bytes",
    "channel_lead_bytes",
    "channel_rise_bytes",
    "check",
    "draw",
    "headline",
    "lead_bytes",
    "liveness_bound",
    "pixel_by_pixel",
    "pixel_lead_bytes",
    "pixel_rise_bytes",
    "plan",
    "rise_bytes",
    "table",
]
