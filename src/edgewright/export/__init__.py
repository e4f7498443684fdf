"""Files to ship: a model as ONNX, OpenVINO, ExecuTorch, C or coded, with a manifest that says what is in them."""

from .artifact import export_onnx
from .c.artifact import export_c
from .coded import export_coded
from .dead_channels import remove_dead_channels
from .executorch import export_executorch
from .openvino import export_openvino

EXPORTERS = {
    "onnx": export_onnx,
    "openvino": export_openvino,
    "executorch": export_executorch,
    "c": export_c,
    "coded": export_coded,
}

__all__ = [
    "EXPORTERS",
    "export_c",
    "export_coded",
    "export_executorch",
    "export_onnx",
    "export_openvino",
    "remove_dead_channels",
]
