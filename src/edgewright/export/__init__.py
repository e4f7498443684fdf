"""Files to ship: a captured model as ONNX, OpenVINO, ExecuTorch or coded, with a manifest that says what is in them."""

from .artifact import export_onnx
from .coded import export_coded
from .executorch import export_executorch
from .openvino import export_openvino

EXPORTERS = {
    "onnx": export_onnx,
    "openvino": export_openvino,
    "executorch": export_executorch,
    "coded": export_coded,
}

__all__ = ["EXPORTERS", "export_coded", "export_executorch", "export_onnx", "export_openvino"]
