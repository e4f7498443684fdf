"""ONNX files as captured models."""

from .read import read_onnx

__all__ = ["read_onnx"]
