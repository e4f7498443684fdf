"""Files to ship: a captured model as ONNX, OpenVINO or ExecuTorch, with a manifest that says what is in them."""

from .artifact import export_onnx
from .executorch import export_executorch
from .openvino import export_openvino

EXPORTERS = {"onnx": export_onnx, "openvino": export_openvino, "executorch": export_executorch}

__all__ = ["EXPORTERS", "export_executorch", "export_onnx", "export_openvino"]
