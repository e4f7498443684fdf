import pytest
import torch

from edgewright.seeding import torch_generator
from edgewright.train.augment import AUGMENTATIONS, augmentation, crop_flip, shift

RANDOM = torch.randint(1, 256, (200, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def naive(image_CHW: torch.Tensor, pad: int, mirror: bool) -> set[bytes]:
    """Every image that a crop of the padded image, mirrored or not, can give."""
    found = set()
    for source in [image_CHW, image_CHW.flip(2)] if mirror else [image_CHW]:
        padded = torch.nn.functional.pad(source, (pad,) * 4)
        for top in range(2 * pad + 1):
            for left in range(2 * pad + 1):
                found.add(padded[:, top : top + 8, left : left + 8].contiguous().numpy().tobytes())
    return found


@pytest.mark.parametrize(("draw", "mirror"), [(shift, False), (crop_flip, True)])
def test_every_result_is_a_crop_of_the_padded_image_and_all_of_them_occur(draw, mirror):
    image = RANDOM[0]
    got = draw(image.expand(600, -1, -1, -1), torch_generator(0, "x"))
    assert got.dtype == torch.uint8
    assert {each.numpy().tobytes() for each in got} == naive(image, 1, mirror)  # 8 pixels are moved by 1 at most


@pytest.mark.parametrize(("draw", "size", "pad"), [(shift, 28, 2), (crop_flip, 32, 4), (shift, 224, 16)])
def test_images_move_by_their_share_of_the_size(draw, size, pad):
    corner = torch.zeros(300, 1, size, size, dtype=torch.uint8)
    corner[:, 0, size // 2, size // 2] = 255
    rows = draw(corner, torch_generator(0, "x"))[:, 0].amax(dim=2).argmax(dim=1) - size // 2
    assert (rows.min().item(), rows.max().item()) == (-pad, pad)


def test_a_shift_never_mirrors():
    slope = torch.arange(8, dtype=torch.uint8).expand(100, 1, 8, 8)
    inside = shift(slope, torch_generator(0, "x"))[:, 0, :, 1:-1].int()
    assert (inside.diff(dim=2) >= 0).all()


def test_about_half_are_mirrored():
    slope = torch.arange(1, 9, dtype=torch.uint8).expand(1000, 1, 8, 8)
    middle = crop_flip(slope, torch_generator(0, "x"))[:, 0, 4].int()
    falling = (middle[:, 3] > middle[:, 4]).float().mean().item()
    assert 0.45 < falling < 0.55  # 1000 draws: three standard errors


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"none"}))
def test_the_same_generator_draws_the_same(name):
    first, again, other = (augmentation(name, torch_generator(seed, "x"))(RANDOM) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_image_is_moved_by_itself():
    alone = shift(RANDOM[:1].expand(50, -1, -1, -1), torch_generator(0, "x"))
    assert len({each.numpy().tobytes() for each in alone}) > 5


def test_none_does_nothing_and_the_table_is_complete():
    assert set(AUGMENTATIONS) == {"none", "shift", "crop-flip", "rand", "shift+rand", "crop-flip+rand"}
    assert augmentation("none", torch_generator(0, "x")) is None
