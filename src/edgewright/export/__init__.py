"""Files to ship: a captured model as ONNX, with a manifest that says what is in them."""

from .artifact import export_onnx

__all__ = ["export_onnx"]
