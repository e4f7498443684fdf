"""What is it? Any `nn.Module` as one plain graph, its coupled channels, and surgery on both."""

from .channels import ChannelGroup, ChannelMap, Member, find_channels
from .cutting import cut
from .graph import capture, check_weights, input_shape, is_captured, layer_of, rewrite
from .run import tensor_specs, watch
from .store import describe, fingerprint, load_model, save_model

__all__ = [
    "ChannelGroup",
    "ChannelMap",
    "Member",
    "capture",
    "check_weights",
    "cut",
    "describe",
    "find_channels",
    "fingerprint",
    "input_shape",
    "is_captured",
    "layer_of",
    "load_model",
    "rewrite",
    "save_model",
    "tensor_specs",
    "watch",
]
