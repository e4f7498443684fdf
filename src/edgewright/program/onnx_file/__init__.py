"""Integer ONNX files as programs, without PyTorch.

bytes --graph--> nodes and arrays --qoperators--> quantizers around operators --read--> program
"""

from .read import read_onnx

__all__ = ["read_onnx"]
