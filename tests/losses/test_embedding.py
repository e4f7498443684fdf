import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch.nn import functional

from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import contrastive_loss, cosine_embedding_loss, triplet_loss
from edgewright.reference import losses as reference

DRAW = np.random.default_rng(0)
FIRST, SECOND = torch.tensor(DRAW.normal(size=(6, 3))), torch.tensor(DRAW.normal(size=(6, 3)))
SIMILAR = torch.tensor([1, 0, 1, 0, 0, 1])
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def test_a_pair_of_one_kind_pays_its_distance_and_others_what_the_margin_lacks():
    first, second = torch.tensor([[0.0, 0.0]] * 3), torch.tensor([[3.0, 4.0], [0.6, 0.8], [3.0, 4.0]])
    terms = [contrastive_loss(first[i : i + 1], second[i : i + 1], torch.tensor([y]), margin=2.0).item()
             for i, y in enumerate((1, 0, 0))]  # fmt: skip
    assert terms == pytest.approx([12.5, 0.5, 0.0])


@pytest.mark.parametrize("margin", [0.5, 3.0])
def test_contrastive_and_cosine_are_their_formulas(margin):
    pairs = (FIRST.numpy(), SECOND.numpy(), SIMILAR.tolist())
    got = contrastive_loss(FIRST, SECOND, SIMILAR, margin=margin).item()
    assert got == pytest.approx(reference.contrastive(*pairs, margin=margin), rel=1e-12)
    got = cosine_embedding_loss(FIRST, SECOND, SIMILAR, margin=margin / 10).item()
    assert got == pytest.approx(reference.cosine_embedding(*pairs, margin=margin / 10), rel=1e-12)


def test_the_worked_cosine():
    first, second = torch.tensor([[1.0, 2, 3]]), torch.tensor([[4.0, 5, 6]])
    assert cosine_embedding_loss(first, second, torch.tensor([1])).item() == pytest.approx(1 - 0.974632, abs=1e-6)
    assert cosine_embedding_loss(first, second, torch.tensor([0])).item() == pytest.approx(0.974632, abs=1e-6)


@pytest.mark.parametrize("mining", ["hard", "semi-hard", "all"])
@given(seed=some.integers(0, 10**6), margin=some.floats(0.05, 2))
def test_mined_triplets_are_those_of_the_loops(mining, seed, margin):
    draw = np.random.default_rng(seed)
    embeddings, labels = draw.normal(size=(7, 2)), draw.integers(0, 3, 7)
    got = triplet_loss(torch.tensor(embeddings), torch.tensor(labels), margin=margin, mining=mining).item()
    assert got == pytest.approx(reference.triplets(embeddings, labels, margin=margin, mining=mining), abs=1e-12)


def test_a_worked_triplet():
    """Positives 1 and 2 away, the nearest negative 1.5: hard pays 2 - 1.5 + 0.2, semi-hard finds 1.5 beyond 1."""
    line, labels = torch.tensor([[0.0], [1.0], [2.0], [-1.5]]), torch.tensor([0, 0, 0, 1])
    assert triplet_loss(line[[0, 2, 3]], labels[[0, 2, 3]]).item() == pytest.approx(0.7 / 2)  # from 2: 2 - 3.5 < 0
    assert triplet_loss(line[[0, 1, 3]], labels[[0, 1, 3]], mining="semi-hard").item() == 0


def test_all_triplets_are_pytorchs():
    pairs = [(a, p, n) for a in range(6) for p in range(6) for n in range(6)
             if a != p and LABELS[a] == LABELS[p] != LABELS[n]]  # fmt: skip
    anchors, positives, negatives = (FIRST[list(each)] for each in zip(*pairs, strict=True))
    want = functional.triplet_margin_loss(anchors, positives, negatives, margin=0.2, eps=0)
    torch.testing.assert_close(triplet_loss(FIRST, LABELS, mining="all"), want)


@pytest.mark.parametrize("mining", ["hard", "semi-hard", "all"])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_a_triplet_costs_nothing(labels, mining):
    embeddings = FIRST[:3].clone().requires_grad_()
    value = triplet_loss(embeddings, torch.tensor(labels), mining=mining)
    value.backward()
    assert value.item() == 0 and torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_equal_embeddings_have_finite_gradients():
    same = torch.ones(4, 2, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1])
    (triplet_loss(same, labels) + contrastive_loss(same[:2], same[2:], torch.tensor([0, 1]))).backward()
    assert bool(same.grad.isfinite().all())


@pytest.mark.slow
def test_embeddings_of_digits_gather_by_class():
    """Trained on triplets, the nearest neighbour of an image among the training images has its class."""
    from edgewright.data import load_data
    from edgewright.seeding import torch_generator

    data = load_data("digits")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(4):
        for inputs, targets in data.batches("train", batch_size=64, generator=torch_generator(0, "t", epoch)):
            optimizer.zero_grad()
            triplet_loss(functional.normalize(net(inputs)), targets).backward()
            optimizer.step()
    with torch.no_grad():
        (seen, of_seen), (new, of_new) = (next(data.batches(each, batch_size=2000)) for each in ("train", "test"))
        nearest = torch.cdist(functional.normalize(net(new)), functional.normalize(net(seen))).argmin(dim=1)
    assert (of_seen[nearest] == of_new).float().mean().item() > 0.9


def test_unknown_mining_margins_and_shapes_are_told():
    with pytest.raises(ConfigError, match="mined as one of hard, semi-hard, all, got 'easy'"):
        triplet_loss(FIRST, LABELS, mining="easy")
    with pytest.raises(ConfigError, match="margin of a distance must be greater than 0, got 0"):
        contrastive_loss(FIRST, SECOND, SIMILAR, margin=0)
    with pytest.raises(ShapeError, match=r"one label each, got \(6, 3\) and \(5,\)"):
        triplet_loss(FIRST, LABELS[:5])
    with pytest.raises(ShapeError, match=r"Pairs are two embeddings \(B, D\) and a label"):
        cosine_embedding_loss(FIRST, SECOND, SIMILAR[:5])
