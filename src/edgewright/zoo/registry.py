"""The table of the zoo: one row per model, readable without torch.

`params` and `macs` are of the default input and number of classes; a test builds every row and holds it to them.
Params are trainable values; MACs are those of convolutions and linear layers for one image, bias ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import unknown_name

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of the zoo. `module` is the file of this folder that holds the function `factory`."""

    name: str
    description: str
    paper: str
    module: str
    factory: str
    input_shape: tuple[int, int, int]  # (C, H, W)
    num_classes: int
    params: int
    macs: int
    takes: tuple[str, ...] = ()  # arguments of the factory besides num_classes and in_channels
    mean: tuple[float, ...] | None = None  # None: the data set's own statistics
    std: tuple[float, ...] | None = None


ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="simple_cnn",
        description="Two convolutions, two pools, two linear layers: the smallest net that learns digits.",
        paper="LeCun et al. 1998, Proc. IEEE 86 (the pattern)",
        module="simple_cnn",
        factory="simple_cnn",
        input_shape=(1, 28, 28),
        num_classes=10,
        params=52_138,
        macs=333_056,
        takes=("image_size",),
    ),
    Entry(
        name="resnet8",
        description="The image-classification net of the MLPerf Tiny benchmark.",
        paper="Banbury et al. 2021, arXiv:2106.07597",
        module="resnet8",
        factory="resnet8",
        input_shape=(3, 32, 32),
        num_classes=10,
        params=78_186,
        macs=12_501_632,
    ),
    Entry(
        name="resnet20",
        description="CIFAR ResNet of 20 layers with parameter-free shortcuts.",
        paper="He et al. 2016, arXiv:1512.03385, section 4.2",
        module="resnet_cifar",
        factory="resnet20",
        input_shape=(3, 32, 32),
        num_classes=10,
        params=269_722,
        macs=40_551_040,
        mean=IMAGENET_MEAN,  # the published weights were trained with ImageNet's statistics
        std=IMAGENET_STD,
    ),
    Entry(
        name="resnet32",
        description="CIFAR ResNet of 32 layers with parameter-free shortcuts.",
        paper="He et al. 2016, arXiv:1512.03385, section 4.2",
        module="resnet_cifar",
        factory="resnet32",
        input_shape=(3, 32, 32),
        num_classes=10,
        params=464_154,
        macs=68_862_592,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    Entry(
        name="mobilenet_v1",
        description="Depthwise separable convolutions; `mobilenet_v1:0.25@128` is width 0.25 at 128 pixels.",
        paper="Howard et al. 2017, arXiv:1704.04861",
        module="mobilenet_v1",
        factory="mobilenet_v1",
        input_shape=(3, 224, 224),
        num_classes=1000,
        params=4_231_976,
        macs=568_740_352,
        takes=("width",),
    ),
    Entry(
        name="mobilenet_v2",
        description="Inverted residuals with linear bottlenecks; takes a width as mobilenet_v1 does.",
        paper="Sandler et al. 2018, arXiv:1801.04381",
        module="mobilenet_v2",
        factory="mobilenet_v2",
        input_shape=(3, 224, 224),
        num_classes=1000,
        params=3_504_872,
        macs=300_774_272,
        takes=("width",),
    ),
    Entry(
        name="ds_cnn",
        description="The keyword-spotting net of MLPerf Tiny; its image is 49 frames of 10 coefficients.",
        paper="Zhang et al. 2017, arXiv:1711.07128; Banbury et al. 2021",
        module="ds_cnn",
        factory="ds_cnn",
        input_shape=(1, 49, 10),
        num_classes=12,
        params=23_756,
        macs=2_656_768,
    ),
)


def entries() -> tuple[Entry, ...]:
    """Every model of the zoo, without building any."""
    return ENTRIES


def names() -> tuple[str, ...]:
    """The names that `resolve` takes without a prefix."""
    return tuple(entry.name for entry in ENTRIES)


def find(name: str) -> Entry:
    """The row of `name`.

    Raises:
        LookupFailed: no such model; the nearest names are offered.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise unknown_name("model", name, names(), command="edgewright models")
