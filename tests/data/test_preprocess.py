import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as vision

from edgewright.data import Preprocess
from edgewright.data.preprocess import convert, cover, covering_size, statistics, to_channels
from edgewright.errors import ConfigError, ShapeError
from edgewright.types import plain

RNG = np.random.default_rng(0)
PHOTOS_BCHW = torch.from_numpy(RNG.integers(0, 256, (4, 3, 12, 10), dtype=np.uint8))


def test_pixels_become_value_minus_mean_over_std_on_the_scale_0_to_1():
    preprocess = Preprocess(shape=(1, 1, 2), mean=(0.5,), std=(0.25,))
    got = preprocess(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor([[[[-2.0, 2.0]]]]))  # (0 - .5) / .25 and (1 - .5) / .25


def test_normalization_is_torchvisions():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    got = Preprocess(shape=(3, 12, 10), mean=mean, std=std)(PHOTOS_BCHW)
    want = vision.normalize(PHOTOS_BCHW.float() / 255, list(mean), list(std))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


def test_the_input_is_left_as_it_was():
    before = PHOTOS_BCHW.clone()
    Preprocess(shape=(1, 6, 6), mean=(0.5,), std=(0.5,))(PHOTOS_BCHW)
    assert torch.equal(PHOTOS_BCHW, before)


def test_a_size_that_fits_is_not_resampled():
    pixels = PHOTOS_BCHW.float()
    assert cover(pixels, 12, 10) is pixels


def test_resizing_is_torchvisions_bilinear_with_antialiasing():
    got = cover(PHOTOS_BCHW.float()[:, :, :10], 5, 5)
    want = vision.resize(PHOTOS_BCHW.float()[:, :, :10], [5, 5], antialias=True)
    torch.testing.assert_close(got, want)


def test_a_wider_target_scales_the_short_side_and_crops_the_centre():
    image = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 4, 8)  # 4 rows, 8 columns, value = column
    assert covering_size((4, 8), (4, 4)) == (4, 8)
    torch.testing.assert_close(cover(image, 4, 4)[0, 0, 0], torch.tensor([2.0, 3.0, 4.0, 5.0]))


@pytest.mark.parametrize(
    ("size", "target", "want"), [((10, 20), (5, 5), (5, 10)), ((8, 8), (28, 28), (28, 28)), ((3, 7), (7, 7), (7, 16))]
)
def test_the_covering_size_keeps_the_aspect(size, target, want):
    assert covering_size(size, target) == want


def test_grey_is_the_luma_of_itu_r_601_as_pillow_computes_it():
    got = to_channels(PHOTOS_BCHW.float(), 1)[0, 0].round().numpy()
    want = np.asarray(Image.fromarray(PHOTOS_BCHW[0].permute(1, 2, 0).numpy()).convert("L"), dtype=np.float32)
    assert np.abs(got - want).max() <= 1  # Pillow rounds in fixed point


def test_grey_becomes_rgb_by_repeating():
    grey = PHOTOS_BCHW[:, :1].float()
    assert torch.equal(to_channels(grey, 3), torch.cat([grey] * 3, dim=1))


def test_no_conversion_to_four_channels_is_pretended():
    with pytest.raises(ShapeError, match=r"3 channels cannot be turned into 4 channels: use 1 \(grey\) or 3 \(RGB\)"):
        to_channels(PHOTOS_BCHW.float(), 4)


def test_statistics_are_those_of_all_pixels_together():
    mean, std = statistics(PHOTOS_BCHW, 3)
    pixels = PHOTOS_BCHW.double() / 255
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-6)
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), unbiased=False).tolist(), abs=1e-6)


def test_a_constant_channel_has_the_deviation_1_instead_of_0():
    assert statistics(torch.full((2, 1, 2, 2), 51, dtype=torch.uint8), 1) == ((0.2,), (1.0,))


def test_converting_rounds_to_pixels_again():
    grey = convert(PHOTOS_BCHW, image_size=6, channels=1)
    assert grey.shape == (4, 1, 6, 6)
    assert grey.dtype == torch.uint8
    assert convert(PHOTOS_BCHW, image_size=None, channels=None) is PHOTOS_BCHW


def test_the_record_is_json_and_rebuilds_the_same_preprocessing():
    preprocess = Preprocess(shape=(3, 6, 6), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    assert Preprocess(**json.loads(json.dumps(plain(preprocess)))) == preprocess


@pytest.mark.parametrize("std", [(0.0,), (-1.0,)])
def test_a_deviation_of_0_or_less_is_refused(std):
    with pytest.raises(ConfigError, match=r"Preprocess.std must be greater than 0 in every channel, got"):
        Preprocess(shape=(1, 2, 2), mean=(0.5,), std=std)


def test_one_mean_per_channel_is_asked_for():
    with pytest.raises(ConfigError, match=r"Preprocess.mean needs 3 finite values, got \(0.5,\)"):
        Preprocess(shape=(3, 2, 2), mean=(0.5,), std=(1, 1, 1))
