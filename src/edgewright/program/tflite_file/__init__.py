"""Fully quantized .tflite files as programs, without TensorFlow.

bytes --tables--> tables and arrays --graph--> tensors and operators --read--> program
"""

from .read import read_tflite

__all__ = ["read_tflite"]
