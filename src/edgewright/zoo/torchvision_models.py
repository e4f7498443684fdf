"""Any image model of torchvision with random weights: `torchvision:NAME`. Nothing is downloaded.

Classification, semantic segmentation, detection and keypoints. The last three answer with dicts of tensors, which the
analysis reads; training and compression are for classifiers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torchvision import models

from ..errors import ConfigError, ModelError, unknown_name
from .registry import IMAGENET_MEAN, IMAGENET_STD
from .seeded import seeded
from .spec import UNBUILDABLE, Wanted, ZooModel, reason

# Auxiliary classifiers serve training only; `init_weights=True` is the default that torchvision 0.29 warns about.
WITHOUT_AUXILIARY = {"aux_logits": False, "init_weights": True}
EXTRA: dict[str, dict[str, Any]] = {"googlenet": WITHOUT_AUXILIARY, "inception_v3": WITHOUT_AUXILIARY}

WITHOUT_DOWNLOAD = {"weights_backbone": None}  # the default asks for weights of the backbone
PHOTO = (480, 640)  # a usual COCO image; most detectors bring whatever they get to a size of their own
SQUARE = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 320, "fasterrcnn_mobilenet_v3_large_320_fpn": 320}
SEGMENTED = 520  # pixels at which torchvision tested its segmentation models


@functools.cache
def families() -> Mapping[str, str]:
    """Name -> family (classification, segmentation, detection) of torchvision's image models."""
    rooms = {"classification": models, "segmentation": models.segmentation, "detection": models.detection}
    return {name: family for family, room in rooms.items() for name in models.list_models(module=room)}


@functools.cache
def model_names() -> frozenset[str]:
    """Names of torchvision's image models."""
    return frozenset(families())


def build_torchvision(name: str, wanted: Wanted) -> ZooModel:
    """The torchvision model `name`, at the image size of its first published weights.

    Raises:
        LookupFailed: torchvision has no such image model.
        ConfigError: other than 3 channels, which no torchvision model takes.
        ModelError: torchvision cannot build it for this number of classes or image size.
    """
    if name not in model_names():
        raise unknown_name("torchvision model", name, model_names(), command="edgewright models --library torchvision")
    if wanted.channels not in (None, 3):
        raise ConfigError(
            f"torchvision:{name} takes images of 3 channels, got {wanted.channels}: leave out --channels, "
            "grey images are repeated to three."
        )
    shape = wanted.shape((3, *_published_size(name)))
    settings = {**EXTRA.get(name, {}), **_size_setting(name, shape)}
    if families()[name] != "classification":
        settings |= WITHOUT_DOWNLOAD
    if wanted.num_classes is not None:
        settings["num_classes"] = wanted.num_classes
    try:
        with seeded(wanted.seed):
            model = models.get_model(name, weights=None, **settings)
    except UNBUILDABLE as error:
        raise ModelError(
            f"torchvision cannot build {name} with {settings} ({reason(error)}): choose another image size or model."
        ) from error
    return ZooModel(model=model, name=f"torchvision:{name}", input_shape=shape, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _published_size(name: str) -> tuple[int, int]:
    """Height and width that the model's first published weights were tested at; 224 where torchvision names none."""
    if families()[name] == "segmentation":
        return SEGMENTED, SEGMENTED
    if families()[name] == "detection":
        return (SQUARE[name], SQUARE[name]) if name in SQUARE else PHOTO
    first = getattr(models.get_model_weights(name), "IMAGENET1K_V1", None)
    side = int(first.transforms().crop_size[0]) if first is not None else 224
    return side, side


def _size_setting(name: str, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Transformers lay out their patches when they are built and must know the size."""
    if name.startswith("vit_"):
        return {"image_size": shape[1]}
    return {"input_size": shape[1:]} if name.startswith("maxvit") else {}
