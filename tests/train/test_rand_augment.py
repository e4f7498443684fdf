import math
from collections import Counter

import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from edgewright.seeding import torch_generator
from edgewright.train.rand_augment import NUM_OPERATIONS, OPERATIONS, STRENGTH, Operation, rand_augment

IMAGES = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
THEIR_NAMES = {
    "identity": "Identity", "shear-x": "ShearX", "shear-y": "ShearY", "translate-x": "TranslateX",
    "translate-y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness", "color": "Color",
    "contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize",
    "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_torchvisions_at_the_same_bin_of_thirty(name):
    theirs = v2.RandAugment()
    magnitudes, is_signed = theirs._AUGMENTATION_SPACE[THEIR_NAMES[name]]
    values = magnitudes(31, 32, 32)
    value = float(values[round(30 * STRENGTH)]) if values is not None else 0.0
    operation = OPERATIONS[name]
    assert operation.is_signed == is_signed
    for sign in (1, -1) if is_signed else (1,):
        want = theirs._apply_image_or_video_transform(
            IMAGES, THEIR_NAMES[name], sign * value, interpolation=InterpolationMode.NEAREST, fill={}
        )
        got = operation.apply(IMAGES, sign * STRENGTH * operation.most)
        assert (got.int() - want.int()).abs().max() <= 1  # theirs rounds the strength to float32 first


def test_the_table_is_that_of_the_paper():
    assert set(THEIR_NAMES) == set(OPERATIONS) and set(THEIR_NAMES.values()) == set(v2.RandAugment._AUGMENTATION_SPACE)


def test_every_operation_is_drawn_evenly_with_both_signs_and_two_for_each_image(monkeypatch):
    drawn: Counter[tuple[str, bool]] = Counter()

    def counted(name: str, operation: Operation) -> Operation:
        def count(images, strength):
            drawn[name, strength < 0] += len(images)
            return images

        return Operation(apply=count, most=operation.most, is_signed=operation.is_signed)

    table = {name: counted(name, operation) for name, operation in OPERATIONS.items()}
    monkeypatch.setattr("edgewright.train.rand_augment.OPERATIONS", table)
    rand_augment(torch.zeros(7000, 1, 1, 1, dtype=torch.uint8), torch_generator(0, "x"))
    assert sum(drawn.values()) == 7000 * NUM_OPERATIONS
    for name, operation in OPERATIONS.items():
        both = drawn[name, False] + drawn[name, True]
        assert abs(both - 1000) < 4 * math.sqrt(1000)  # four standard errors
        if operation.is_signed:
            assert abs(drawn[name, True] - 500) < 4 * math.sqrt(500)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_shape_and_type_and_the_given_ones_stay(channels):
    images = IMAGES[:, :channels].repeat(8, 1, 1, 1)
    before = images.clone()
    changed = rand_augment(images, torch_generator(0, "x"))
    assert changed.shape == images.shape and changed.dtype == torch.uint8
    assert torch.equal(images, before) and not torch.equal(changed, before)
