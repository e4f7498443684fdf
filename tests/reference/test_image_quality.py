"""PSNR and SSIM by hand, and SSIM place by place."""

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from edgewright.reference.image_quality import frechet_distance, gaussian_window, inception_score, psnr, ssim

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("error", "wanted"), [(1, 48.1308), (8, 39.0999), (100, 28.1308)])
def test_psnr_of_three_errors(error, wanted):
    a = np.zeros((4, 4))
    assert psnr(a, a + math.sqrt(error), value_range=255) == pytest.approx(wanted, abs=5e-5)


def test_equal_images_are_infinitely_good():
    a = RNG.random((16, 16))
    assert psnr(a, a, value_range=1) == math.inf
    assert ssim(a, a, value_range=1) == pytest.approx(1)


def test_ssim_of_a_ramp_and_one_with_stripes():
    y, x = np.mgrid[:32, :32]
    assert ssim(8.0 * x, 8.0 * x + 4 * (y % 2), value_range=255) == pytest.approx(0.988312, abs=1e-6)


def test_ssim_of_two_constants_is_that_of_their_means_alone():
    a, b = np.full((11, 11), 100.0), np.full((11, 11), 110.0)
    c = (0.01 * 255) ** 2
    assert ssim(a, b, value_range=255) == pytest.approx((2 * 100 * 110 + c) / (100**2 + 110**2 + c))
    assert ssim(a, b, value_range=255) == pytest.approx(0.995476, abs=1e-6)


def test_of_one_neighbourhood_it_is_the_formula_summed_by_hand():
    a, b = 255 * RNG.random((11, 11)), 255 * RNG.random((11, 11))
    window = gaussian_window()
    assert window.sum() == pytest.approx(1)
    mean = {"a": 0.0, "b": 0.0}
    for place in np.ndindex(11, 11):
        mean["a"] += window[place] * a[place]
        mean["b"] += window[place] * b[place]
    spread = {"aa": 0.0, "bb": 0.0, "ab": 0.0}
    for place in np.ndindex(11, 11):
        da, db = a[place] - mean["a"], b[place] - mean["b"]
        for name, product in (("aa", da * da), ("bb", db * db), ("ab", da * db)):
            spread[name] += window[place] * product
    c1, c2 = 2.55**2, 7.65**2
    wanted = (2 * mean["a"] * mean["b"] + c1) * (2 * spread["ab"] + c2)
    wanted /= (mean["a"] ** 2 + mean["b"] ** 2 + c1) * (spread["aa"] + spread["bb"] + c2)
    assert ssim(a, b, value_range=255) == pytest.approx(wanted)


def test_noise_lowers_it_and_order_does_not_matter():
    a = 255 * RNG.random((20, 24))
    noisy = [a + amount * RNG.standard_normal(a.shape) for amount in (5, 50)]
    assert 1 > ssim(a, noisy[0], value_range=255) > ssim(a, noisy[1], value_range=255)
    assert ssim(a, noisy[1], value_range=255) == pytest.approx(ssim(noisy[1], a, value_range=255))


def test_frechet_of_two_normal_distributions_and_of_rotated_ones():
    one = np.ones((1, 1))
    assert frechet_distance(np.zeros(1), one, np.ones(1), 4 * one) == pytest.approx(2)
    matrix = RNG.standard_normal((5, 5))
    cov, other = matrix @ matrix.T, np.diag(np.arange(1.0, 6))
    assert frechet_distance(np.zeros(5), cov, np.zeros(5), cov) == pytest.approx(0, abs=1e-9)
    wanted = np.trace(cov + other) - 2 * np.trace(np.real(sqrtm(cov @ other)))
    assert frechet_distance(np.zeros(5), cov, np.zeros(5), other) == pytest.approx(wanted)


def test_the_inception_score_is_1_for_one_answer_and_the_number_of_classes_for_sure_and_even_ones():
    assert inception_score(np.full((6, 3), 1 / 3)) == pytest.approx(1)
    assert inception_score(np.eye(3)[[0, 0, 0]]) == pytest.approx(1)
    assert inception_score(np.eye(3)) == pytest.approx(3)
