"""Each quantizer as a function of one case: our own and those of ONNX Runtime, NNCF and torchao.

    make(case, folder) -> {"files": {runtime: path}, "seconds": ..., "note": ...}

All of them see the same float model and the same calibration images. What a quantizer needs is imported inside of its
function: one that is not installed is a row that says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quantize_nets import subject
from torch import fx

from edgewright.compress.quantize import Quantize
from edgewright.data import Data, Images, Preprocess, load_data
from edgewright.devices import device
from edgewright.export import EXPORTERS
from edgewright.files import read_json, write_json
from edgewright.model import capture, load_model, save_model
from edgewright.tasks import Classify
from edgewright.types import Job
from edgewright.zoo import resolve

NUM_CALIBRATION = 256
BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Case:
    """A float model and its images. `subject` names a trained net of `quantize_nets`; without it the zoo's `spec` has
    random weights and random images, for times alone. `folder` holds what `prepare` has put there."""

    name: str
    folder: Path
    num_calibration: int = NUM_CALIBRATION
    num_test: int | None = None
    subject: str | None = None
    root: Path = Path()  # of the data
    nets: Path = Path()
    spec: str = ""

    @property
    def float_onnx(self) -> Path:
        return self.folder / "fp32" / "onnx" / "model.onnx"

    def net(self) -> fx.GraphModule:
        """The float model, captured."""
        return load_model(self.folder / "net")

    def data(self) -> Data:
        """Train split: the calibration images alone; val: what repairs are judged on; test: what is scored."""
        facts = read_json(self.folder / "data.json")
        with np.load(self.folder / "images.npz", allow_pickle=False) as stored:
            splits = {
                name: Images(
                    images_BCHW=torch.from_numpy(stored[f"{name}.images"]),
                    labels_B=torch.from_numpy(stored[f"{name}.labels"]),
                )
                for name in ("train", "val", "test")
            }
        shape, mean, std = (tuple(facts[key]) for key in ("shape", "mean", "std"))
        return Data(
            name=self.name, class_names=tuple(facts["class_names"]), splits=splits, provenance={}, fingerprint="",
            preprocess=Preprocess(shape=shape, mean=mean, std=std),
        )  # fmt: skip

    def calibration_BCHW(self) -> torch.Tensor:
        """The images that every quantizer is given."""
        return self.data().calibration(self.num_calibration, 0)


def prepare(case: Case) -> dict[str, Any]:
    """Read model and images once for all quantizers, which then need not decode 60,000 files each."""
    net, data = _subject(case)
    (case.folder / "net").mkdir()
    save_model(net, case.folder / "net")
    train, val, test = (data.split(name) for name in ("train", "val", "test"))
    chosen = data._calibration_positions(case.num_calibration, 0)
    parts = {"train": train.take(chosen), "val": val.take(_spread(val, NUM_VAL)), "test": test}
    if case.num_test is not None:
        parts["test"] = test.take(_spread(test, case.num_test))
    arrays = {f"{name}.images": each.images_BCHW.numpy() for name, each in parts.items()}
    arrays |= {f"{name}.labels": each.labels_B.numpy() for name, each in parts.items()}
    np.savez(case.folder / "images.npz", **arrays)
    facts = {"shape": data.preprocess.shape, "mean": data.preprocess.mean, "std": data.preprocess.std}
    write_json(case.folder / "data.json", {**facts, "class_names": data.class_names})
    return {name: len(each) for name, each in parts.items()}


def _spread(images: Images, num: int) -> torch.Tensor:
    """Positions of `num` images over the whole split, which may be sorted by class."""
    return torch.linspace(0, len(images) - 1, min(num, len(images))).long()


def _subject(case: Case) -> tuple[fx.GraphModule, Data]:
    if case.subject is None:
        built = resolve(case.spec, num_classes=None)
        return capture(built.model, built.input_shape), random_data(built.input_shape, case.num_calibration)
    net, fitted = subject(case.subject, case.root, case.nets)
    if case.subject != "resnet20":
        return net, fitted
    # all of the 1,000 lossless test images, and validation images of the others
    lossless = load_data(f"npz:{CALIBRATION},{TEST}", root=case.root / "cifar10")
    return net, replace(lossless, preprocess=fitted.preprocess)


NUM_VAL = 500
CALIBRATION, TEST = "cifar10_train4000_lossless.npz", "cifar10_test1000_lossless.npz"


def random_data(shape: tuple[int, ...], num_images: int) -> Data:
    """Noise in place of images."""
    generator = torch.Generator().manual_seed(0)
    pixels_BCHW = torch.randint(0, 256, (num_images, *shape), generator=generator, dtype=torch.uint8)
    images = Images(images_BCHW=pixels_BCHW, labels_B=torch.zeros(num_images, dtype=torch.int64))
    few = images.take(torch.arange(2))
    names = tuple(str(index) for index in range(1000))
    return Data(
        name="noise", class_names=names, splits={"train": images, "val": few, "test": few}, provenance={},
        preprocess=Preprocess(shape=shape, mean=(0.5,) * shape[0], std=(0.25,) * shape[0]), fingerprint="",
    )  # fmt: skip


Made = dict[str, Any]


def ours(
    case: Case, folder: Path, *, settings: dict[str, Any], formats: tuple[str, ...] = ("onnx", "openvino", "executorch")
) -> Made:
    """The stage `Quantize` on the graph, written in each of `formats`."""
    began = time.perf_counter()
    simulation, note = _simulation(case, settings)
    made: Made = {"seconds": time.perf_counter() - began, "files": {}, "note": note, "failed": {}}
    for format_ in formats:
        try:
            artifact = EXPORTERS[format_](simulation, folder / format_, name=case.name, preprocess={})
        except Exception as error:  # a format that is not installed here
            made["failed"][format_] = f"{type(error).__name__}: {error}"[:300]
            continue
        made["files"][HOME[format_]] = str(artifact.model_path)
    return made


HOME = {"onnx": "onnxruntime", "openvino": "openvino", "executorch": "executorch"}


def _simulation(case: Case, settings: dict[str, Any]) -> tuple[Any, str]:
    data = case.data()
    job = Job(
        model=case.net(), task=Classify(num_classes=data.num_classes), data=data, device=device("generic-x86"),
    )  # fmt: skip
    result = Quantize(num_calibration=case.num_calibration, **settings).run(job)
    return result.model, " ".join(result.notes)


def onnxruntime_static(case: Case, folder: Path, *, method: str) -> Made:
    """ONNX Runtime's static quantization: QDQ, uint8 activations, int8 weights per channel."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    images_BCHW = case.calibration_BCHW().numpy()
    prepared, written = folder / "prepared.onnx", folder / "model.onnx"
    began = time.perf_counter()
    quant_pre_process(str(case.float_onnx), str(prepared))
    quantize_static(
        str(prepared), str(written), _Reader(images_BCHW), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=False,
        calibrate_method=CalibrationMethod[method],
    )  # fmt: skip
    return {"seconds": time.perf_counter() - began, "files": {"onnxruntime": str(written), "openvino": str(written)}}


class _Reader:
    """ONNX Runtime's form of a calibration set."""

    def __init__(self, images_BCHW: np.ndarray) -> None:
        self._batches = iter(np.array_split(images_BCHW, max(len(images_BCHW) // BATCH, 1)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch_BCHW = next(self._batches, None)
        return None if batch_BCHW is None else {"image": batch_BCHW}


def nncf_openvino(case: Case, folder: Path, *, preset: str = "PERFORMANCE", fast: bool = True) -> Made:
    """NNCF's post-training quantization of the OpenVINO form."""
    import nncf
    import openvino

    images_BCHW = case.calibration_BCHW().numpy()
    began = time.perf_counter()
    model = openvino.Core().read_model(case.float_onnx)
    found = nncf.quantize(
        model, nncf.Dataset(list(_singles(images_BCHW))), subset_size=len(images_BCHW), fast_bias_correction=fast,
        preset=nncf.QuantizationPreset[preset], target_device=nncf.TargetDevice.CPU,
    )  # fmt: skip
    written = folder / "model.xml"
    openvino.save_model(found, written, compress_to_fp16=False)
    return {"seconds": time.perf_counter() - began, "files": {"openvino": str(written)}}


def nncf_onnx(case: Case, folder: Path, *, preset: str = "PERFORMANCE") -> Made:
    """NNCF's post-training quantization of the ONNX file."""
    import nncf
    import onnx

    images_BCHW = case.calibration_BCHW().numpy()
    began = time.perf_counter()
    inputs = [{"image": image_BCHW} for image_BCHW in _singles(images_BCHW)]
    found = nncf.quantize(
        onnx.load(case.float_onnx), nncf.Dataset(inputs), subset_size=len(images_BCHW), fast_bias_correction=True,
        preset=nncf.QuantizationPreset[preset], target_device=nncf.TargetDevice.CPU,
    )  # fmt: skip
    written = folder / "model.onnx"
    onnx.save(found, written)
    return {"seconds": time.perf_counter() - began, "files": {"onnxruntime": str(written), "openvino": str(written)}}


def _singles(images_BCHW: np.ndarray) -> Iterator[np.ndarray]:
    return (images_BCHW[index : index + 1] for index in range(len(images_BCHW)))


def _prepared_pt2e(case: Case, quantizer: Any) -> tuple[Any, torch.Tensor]:
    """The exported model with torchao's observers, calibrated; and one image."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    images_BCHW = case.calibration_BCHW()
    exported = torch.export.export(case.net(), (images_BCHW[:1],)).module()
    prepared = prepare_pt2e(exported, quantizer)
    with torch.no_grad():
        for index in range(len(images_BCHW)):
            prepared(images_BCHW[index : index + 1])
    return prepared, images_BCHW[:1]


def torchao_inductor(case: Case, folder: Path) -> Made:
    """torchao PT2E with the x86 quantizer, for the inductor compiler; also as an ONNX file."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    began = time.perf_counter()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    prepared, image_BCHW = _prepared_pt2e(case, quantizer)
    converted = convert_pt2e(prepared)
    made: Made = {"seconds": time.perf_counter() - began, "files": {}, "failed": {}}
    written = folder / "model.pt2"
    torch.export.save(torch.export.export(converted, (image_BCHW,)), written)
    made["files"]["inductor"] = str(written)
    try:
        program = torch.onnx.export(converted, (image_BCHW,), dynamo=True, input_names=["image"], verbose=False)
        program.save(folder / "model.onnx")
        made["files"]["onnxruntime"] = str(folder / "model.onnx")
    except Exception as error:  # what it raises is the finding
        made["failed"]["onnxruntime"] = f"{type(error).__name__}: {error}"[:300]
    return made


def torchao_executorch(case: Case, folder: Path) -> Made:
    """torchao PT2E with XNNPACK's quantizer (symmetric, per channel), lowered to ExecuTorch."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    began = time.perf_counter()
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared, image_BCHW = _prepared_pt2e(case, quantizer)
    exported = torch.export.export(convert_pt2e(prepared), (image_BCHW,))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    written = folder / "model.pte"
    written.write_bytes(program.buffer)
    return {"seconds": time.perf_counter() - began, "files": {"executorch": str(written)}}


Make = Callable[[Case, Path], Made]
QUANTIZERS: dict[str, Make] = {
    "edgewright": partial(ours, settings={}),
    "edgewright min-max": partial(ours, settings={"method": "minmax"}, formats=("onnx",)),
    "edgewright equalize, bias": partial(ours, settings={"repairs": ("equalize", "bias")}, formats=("onnx",)),
    "onnxruntime min-max": partial(onnxruntime_static, method="MinMax"),
    "onnxruntime percentile": partial(onnxruntime_static, method="Percentile"),
    "onnxruntime entropy": partial(onnxruntime_static, method="Entropy"),
    "nncf performance": nncf_openvino,
    "nncf mixed": partial(nncf_openvino, preset="MIXED"),
    "nncf accurate bias": partial(nncf_openvino, fast=False),
    "nncf onnx": nncf_onnx,
    "torchao x86": torchao_inductor,
    "torchao xnnpack": torchao_executorch,
}
FOR_TIMES = ("edgewright", "onnxruntime min-max", "nncf performance", "nncf onnx", "torchao x86", "torchao xnnpack")
