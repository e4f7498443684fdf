"""Any model of timm with random weights: `timm:NAME`. Nothing is downloaded."""

from __future__ import annotations

import functools
from typing import Any

import timm

from ..errors import ModelError, unknown_name
from .seeded import seeded
from .spec import UNBUILDABLE, Wanted, ZooModel, reason


@functools.cache
def model_names() -> frozenset[str]:
    """Names that timm builds, without the tags of weights."""
    return frozenset(timm.list_models())


def build_timm(name: str, wanted: Wanted) -> ZooModel:
    """The timm model `name` (a tag of weights, as in `resnet18.a1_in1k`, only chooses size and normalization).

    Raises:
        LookupFailed: timm has no such model.
        ModelError: timm cannot build it for this number of classes, channels or image size.
    """
    if "." in name and name not in (tagged := timm.list_pretrained()):
        raise unknown_name("timm model", name, tagged, command="python -c 'import timm; print(timm.list_pretrained())'")
    if "." not in name and name not in model_names():
        raise unknown_name("timm model", name, model_names(), command="edgewright models --library timm")
    facts = timm.get_pretrained_cfg(name)
    default = facts.input_size if facts else (3, 224, 224)  # a few models have no facts at all
    shape = wanted.shape((default[0], default[1], default[2]))
    settings: dict[str, Any] = {"in_chans": shape[0]}
    if wanted.num_classes is not None:
        settings["num_classes"] = wanted.num_classes
    if facts and facts.fixed_input_size and shape[1:] != tuple(default[1:]):
        settings["img_size"] = shape[1:]  # vision transformers lay out their patches when they are built
    try:
        with seeded(wanted.seed):
            model = timm.create_model(name, pretrained=False, **settings)
    except UNBUILDABLE as error:
        raise ModelError(
            f"timm cannot build {name} with {settings} ({reason(error)}): choose other sizes or another model."
        ) from error
    mean, std = (tuple(facts.mean), tuple(facts.std)) if facts and shape[0] == default[0] else (None, None)
    return ZooModel(model=model, name=f"timm:{name}", input_shape=shape, mean=mean, std=std)
