"""The words of edgewright: frozen values and protocols. Read this first; nothing here imports torch.

Units are part of every name. A percentage or a score is in points (0 to 100), a share is called `keep` and lies in
(0, 1]. A number that is unknown is `None`, never 0 or -1.
"""

from __future__ import annotations

import dataclasses
import math
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .progress import Progress

Dtype = Literal["float32", "float16", "int8", "int4"]
How = Literal["estimated", "measured"]
BYTES_PER_ELEMENT: Mapping[str, float] = {"float32": 4, "float16": 2, "int8": 1, "int4": 0.5}

RUN_FILE, RUN_FORMAT = "run.json", "edgewright.run/1"
PLAN_FILE = "plan.json"  # of a run that pruned: what left the model, to be carried out again
ANALYSIS_FORMAT = "edgewright.analysis/1"  # what `analyze` finds about one model
MANIFEST_FILE, ARTIFACT_FORMAT = "manifest.json", "edgewright.artifact/1"
EXPECTED_FILE = "expected.npz"  # golden vectors of an artifact
LAYOUT_FILE, LAYOUT_FORMAT = "layout.json", "edgewright-firmware-layout-1"  # of generated C: how its tensors' bytes lie
FIRMWARE_STACK_BYTES = 1024  # RAM set aside for the stack of firmware; what is used of it is measured, and fenced
ARTIFACT_FOLDERS: Mapping[str, str] = {"int8": "artifact", "fp32": "artifact-fp32"}  # in a run, by kind of model
EXPORT_FOLDERS: Mapping[str, str] = {  # in a run, by what `export` writes
    "onnx": "artifact", "openvino": "artifact-openvino", "executorch": "artifact-executorch", "c": "artifact-c",
    "coded": "artifact-coded",
}  # fmt: skip
FIRMWARE_FOLDER = "artifact/c"  # in a run for a device that takes generated C


def plain(value: Any) -> Any:
    """The JSON-able form of any value of this module: dataclasses to dicts, tuples to lists, paths to text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def deciding(value: Any) -> Any:
    """`plain` without what no result depends on: the fields that a class names in `CHANGE_NOTHING`, at any depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        idle = getattr(value, "CHANGE_NOTHING", ())
        return {name: deciding(getattr(value, name)) for name in names if name not in idle}
    return plain(value)


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A whole model that had no part in a latency table: what the table says, and what the machine took."""

    name: str
    dtype: str
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Share of the measured time by which the prediction is off; above 0: too slow."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True, kw_only=True)
class LatencyTable:
    """Times of operators as one machine took them, and how far off whole models are that are predicted from it.

    `points`: dtype -> kind of operator -> rows of (work, features..., seconds), see `analyze.latency`.
    """

    runtime: str
    machine: str
    threads: int
    call_overhead_s: float  # of one call of a model, beside its operators
    points: Mapping[str, Mapping[str, tuple[tuple[float, ...], ...]]]
    validation: tuple[Validated, ...] = ()

    def errors(self, dtype: str) -> tuple[float, ...]:
        """The size of each validated model's error, smallest first; empty where the type was not validated."""
        return tuple(sorted(abs(each.error) for each in self.validation if each.dtype == dtype))

    def accuracy(self, dtype: str) -> str:
        """What stands beside every estimate made from the table."""
        errors = self.errors(dtype)
        if not errors:
            return f"error at {dtype} unknown"
        middle = (errors[(len(errors) - 1) // 2] + errors[len(errors) // 2]) / 2
        models = "1 unseen model" if len(errors) == 1 else f"{len(errors)} unseen models"
        return f"median error {100 * middle:.0f} %, worst {100 * errors[-1]:.0f} % on {models}"


@dataclass(frozen=True, kw_only=True)
class Device:
    """Facts of a target, a source beside each number in `sources` (key: field, or `field.dtype`)."""

    name: str
    title: str
    kind: Literal["mcu", "cpu", "gpu"]
    clock_hz: float
    ram_bytes: int
    flash_bytes: int | None  # None: storage is no limit worth stating (phones, servers)
    macs_per_cycle: Mapping[str, float]  # whole chip, per dtype
    bandwidth_bytes_s: float
    overhead_s: float  # cost of starting one operator
    pj_per_mac: Mapping[str, float]
    pj_per_byte: float
    round_to: int  # channel counts that are multiples of this use the SIMD lanes fully
    runtimes: tuple[str, ...]
    operators: tuple[str, ...] | None = None  # None: not limited to a list
    host: str | None = None  # machine architecture on which the machine at hand counts as this device
    latency_table: LatencyTable | None = None  # operators as measured on the device itself
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def core(self) -> str | None:
        """The Cortex-M core that the title names, "M4" for instance; None for other processors."""
        found = re.search(r"Cortex-(M\d+)", self.title)
        return found[1] if found else None

    @property
    def is_here(self) -> bool:
        """Whether what is measured on the machine at hand counts as measured on this device."""
        return self.host == platform.machine()

    def macs_per_second(self, dtype: str) -> float:
        """Peak multiply-accumulates per second for `dtype`; a type without kernels runs at the float32 rate."""
        return self.clock_hz * self.macs_per_cycle.get(dtype, self.macs_per_cycle["float32"])


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a model spends on one device. `how` says for each field whether it was estimated or measured."""

    macs: int | None = None
    params: int | None = None
    latency_s: float | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    energy_j: float | None = None
    how: Mapping[str, How] = field(default_factory=dict)

    def measured(self, **values: Any) -> Cost:
        """This cost with `values` put in as measured ones."""
        return dataclasses.replace(self, **values, how={**self.how, **dict.fromkeys(values, "measured")})


@dataclass(frozen=True, kw_only=True)
class Overrun:
    """One broken limit."""

    limit_name: str
    value: float
    limit: float

    @property
    def factor(self) -> float:
        """How many times the limit is spent."""
        return self.value / self.limit

    @property
    def title(self) -> str:
        """The limit in words."""
        return LIMITS[self.limit_name].title


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The words of one limit of `Budget`. 1 KB is 1,024 bytes everywhere: memories are built in powers of two."""

    title: str
    unit: str  # of the value in `Budget`, `Cost` and `Check`
    flag: str  # the option of `fit` that sets it
    flag_unit: str  # what the flag's number counts
    per_unit: float = 1.0  # how many of these make one `unit`

    def to_flag(self, value: float) -> float:
        """What the flag takes for `value`: 0.005 s -> 5 (ms)."""
        return value * self.per_unit

    def from_flag(self, number: float) -> float:
        """The value that the flag's number stands for, whole where it counts bytes: 320 (KB) -> 327,680 bytes."""
        value = number / self.per_unit
        return int(value) if self.unit == "bytes" else value


LIMITS: Mapping[str, Limit] = {
    "max_drop": Limit(title="drop", unit="points", flag="--max-drop", flag_unit="points"),
    "min_score": Limit(title="score", unit="points", flag="--min-score", flag_unit="points"),
    "latency_s": Limit(title="latency on the device", unit="s", flag="--latency-ms", flag_unit="ms", per_unit=1e3),
    "ram_bytes": Limit(title="peak RAM", unit="bytes", flag="--ram-kb", flag_unit="KB of RAM", per_unit=1 / 1024),
    "flash_bytes": Limit(title="flash", unit="bytes", flag="--flash-kb", flag_unit="KB of flash", per_unit=1 / 1024),
    "energy_j": Limit(title="energy per image", unit="J", flag="--energy-mj", flag_unit="mJ", per_unit=1e3),
}
COST_LIMITS = tuple(name for name in LIMITS if name in {each.name for each in dataclasses.fields(Cost)})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The limits. `max_drop` is in points of the task's score; unset limits are `None`."""

    max_drop: float | None = 1.0
    min_score: float | None = None
    latency_s: float | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    energy_j: float | None = None

    def __post_init__(self) -> None:
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise ConfigError(f"Budget.max_drop is in points from 0 to 100, got {self.max_drop}.")
        if self.min_score is not None and not 0 <= self.min_score <= 100:
            raise ConfigError(f"Budget.min_score is in points from 0 to 100, got {self.min_score}.")
        for name in COST_LIMITS:
            limit = getattr(self, name)
            if limit is not None and not (limit > 0 and math.isfinite(limit)):
                raise ConfigError(f"Budget.{name} must be greater than 0, got {limit}: leave it out for no limit.")

    def within(self, device: Device) -> Budget:
        """This budget, with the device's own RAM and flash where no tighter limit is set."""
        return dataclasses.replace(
            self,
            ram_bytes=min(self.ram_bytes or device.ram_bytes, device.ram_bytes),
            flash_bytes=_tighter(self.flash_bytes, device.flash_bytes),
        )

    def overruns(self, cost: Cost) -> tuple[Overrun, ...]:
        """Each limit that `cost` breaks. A limit whose cost is unknown is not broken."""
        pairs = [(name, getattr(cost, name), getattr(self, name)) for name in COST_LIMITS]
        return tuple(
            Overrun(limit_name=name, value=value, limit=limit)
            for name, value, limit in pairs
            if value is not None and limit is not None and value > limit
        )

    def lowest_score(self, before: float) -> float:
        """The smallest score, in points, that this budget accepts for a model that scored `before`."""
        floors = [before - self.max_drop if self.max_drop is not None else 0.0, self.min_score or 0.0]
        return max(floors)


def _tighter(first: int | None, second: int | None) -> int | None:
    present = [limit for limit in (first, second) if limit is not None]
    return min(present) if present else None


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Shape and type of one tensor; `shape` includes the batch axis."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def num_elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class QuantSpec:
    """r = scale * (q - zero_point), with q an integer of `bits` in [low, high]; `axis` is None per tensor."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    bits: int = 8
    signed: bool = True
    symmetric: bool = False

    @property
    def low(self) -> int:
        if not self.signed:
            return 0
        return -(2 ** (self.bits - 1)) + (1 if self.symmetric else 0)

    @property
    def high(self) -> int:
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1


@dataclass(frozen=True, kw_only=True)
class Window:
    """The sliding window of a convolution or a pooling, per spatial axis (one for 1-D, two for 2-D, three for 3-D)."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]  # before and behind alike; what "same" adds in all is split, the larger half behind
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False


@dataclass(frozen=True, kw_only=True)
class OpProfile:
    """One operator of the model as it runs, for the profile's batch. Bytes are at the profile's dtype."""

    name: str  # unique in the profile
    layer: str  # dotted path in the user's model, or ""
    module: str = ""  # dotted path of the module in which it runs
    op: str  # Conv2d, Linear, aten.add, ...
    shape_in: tuple[int, ...] = ()  # of the first tensor that it reads; () where it reads none
    shape_out: tuple[int, ...]  # of the first tensor that it makes
    window: Window | None = None  # of convolutions and poolings
    macs: int
    elementwise: int  # operations that are not multiply-accumulates
    params: int
    weight_bytes: float
    activation_bytes: float  # read + written
    latency_s: float | None = None
    energy_j: float | None = None
    bound: Literal["compute", "memory", "overhead"] | None = None
    fused_into: str | None = None  # name of the row that does this one's work at run time
    counted: bool = True  # False: no formula is known, its MACs and operations are not in any sum

    @property
    def intensity(self) -> float | None:
        """MACs per byte moved."""
        moved = self.weight_bytes + self.activation_bytes
        return self.macs / moved if moved else None


@dataclass(frozen=True, kw_only=True)
class ModelProfile:
    """What a model costs: one row per operator and the totals. Params are trainable values."""

    rows: tuple[OpProfile, ...]
    dtype: str
    device: str | None
    params: int
    buffers: int
    macs: int
    elementwise: int
    weight_bytes: float
    peak_ram_bytes: int
    peak_at: str  # the operator at which the peak occurs
    peak_tensors: tuple[str, ...]
    unknown: tuple[str, ...]  # operators without a formula, never counted as zero silently
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A task's score in points (0 to 100, higher is better) on one split."""

    metric: str
    value: float
    num_samples: int
    split: str

    @property
    def std_error(self) -> float:
        """Binomial standard error in points."""
        share = self.value / 100
        return 100 * math.sqrt(share * (1 - share) / self.num_samples)


class Task(Protocol):
    """What is asked of the model: a loss to train it, a decoding of its outputs, a metric to judge it."""

    @property
    def metric_name(self) -> str: ...
    def loss(self, outputs: Any, targets: Any) -> torch.Tensor: ...
    def decode(self, outputs: Any) -> Any: ...
    def metric(self) -> Any: ...
    def check_outputs(self, outputs: Any, *, model_name: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """The moving value: a model on its way to a device. Stages take one and return a `StageResult`."""

    model: nn.Module
    task: Any
    data: Any
    device: Device
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    workdir: Path | None = None  # where a stage keeps its checkpoints; None: nowhere
    model_name: str = "model"
    trained: bool = True  # False: the weights are random, `fit` trains first
    teacher: nn.Module | None = None  # whom distillation imitates: the model as it came, before any cut
    accelerator: str = "cpu"  # PyTorch device on which weights learn and are scored; results come back to the CPU

    def with_model(self, model: nn.Module, *, workdir: Path | None = None) -> Job:
        """The same job for another model."""
        return dataclasses.replace(self, model=model, workdir=workdir or self.workdir)


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What one stage did. `cost` and `score` are of the new model."""

    model: nn.Module
    score: Score | None
    cost: Cost | None
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON-able, shown in the report
    seconds: float = 0.0


class Stage(Protocol):
    """Settings as fields of a frozen dataclass, and one method. The input model is never changed.

    Settings that no result depends on may be named in a class variable `CHANGE_NOTHING`.
    """

    def run(self, job: Job, *, progress: Progress = ...) -> StageResult: ...


@dataclass(frozen=True, kw_only=True)
class Check:
    """One verdict of the gate: `value` against `limit` in `unit`, and how it was measured."""

    name: str
    passed: bool
    value: float | None
    limit: float | None
    unit: str
    how: str
    blame: str = ""  # what breaks it, and what would help


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """The files to ship. `manifest` is `manifest.json` as read: files with hashes, input, preprocessing, labels."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def model_path(self) -> Path:
        """The file to ship."""
        return self.folder / str(self.manifest["model"])

    @property
    def num_bytes(self) -> int:
        """Of all files to ship: a format may write its weights apart."""
        parts = self.manifest.get("parts", [self.manifest["model"]])
        return sum((self.folder / str(name)).stat().st_size for name in parts)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All results of a run as plain data; the same content as `run.json`."""

    folder: Path
    content: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return bool(self.content["verdict"]["passed"])

    @property
    def page(self) -> Path:
        return self.folder / "report.html"
