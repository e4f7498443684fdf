import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.errors import ConfigError
from edgewright.losses import many_classes as many
from edgewright.losses.many_classes.sampled import SAMPLED
from edgewright.reference import losses as reference

SHAPE = many.HeadShape(dim=5, num_classes=7, num_drawn=4)
DRAW = np.random.default_rng(0)
FEATURES = torch.tensor(DRAW.normal(size=(6, 5)), dtype=torch.float32)
TARGETS = torch.tensor([0, 6, 2, 2, 5, 1])


def drawn_from(logits_BK, targets_B, drawn_S, noise_K):
    """What a loss on draws looks at, from the logits of all classes."""
    log_expected_K = noise_K.log() + math.log(len(drawn_S))
    return many.Drawn(
        true_B=logits_BK.gather(1, targets_B[:, None])[:, 0], drawn_BS=logits_BK[:, drawn_S],
        log_expected_true_B=log_expected_K[targets_B], log_expected_S=log_expected_K[drawn_S],
        hits_BS=targets_B[:, None] == drawn_S[None, :],
    )  # fmt: skip


@pytest.mark.parametrize("name", many.HEADS)
def test_every_head_scores_all_classes_and_its_loss_reaches_every_kind_of_weight(name):
    head = many.class_head(name, SHAPE)
    assert head(FEATURES).shape == (6, 7)
    head.loss(FEATURES, TARGETS, generator=torch.Generator().manual_seed(0)).backward()
    assert all(bool(weight.grad.isfinite().all()) and bool(weight.grad.any()) for weight in head.parameters())


@pytest.mark.parametrize("name", ["full", "adaptive", "hierarchical"])
def test_a_head_that_draws_nothing_has_the_cross_entropy_of_its_scores(name):
    head = many.class_head(name, SHAPE)
    want = torch.nn.functional.cross_entropy(head(FEATURES), TARGETS)
    torch.testing.assert_close(head.loss(FEATURES, TARGETS), want)


@pytest.mark.parametrize("name", ["adaptive", "hierarchical"])
@pytest.mark.parametrize("num_classes", [2, 3, 7, 8, 33])
def test_probabilities_of_all_classes_sum_to_1(name, num_classes):
    head = many.class_head(name, many.HeadShape(dim=5, num_classes=num_classes))
    torch.testing.assert_close(head(FEATURES).exp().sum(dim=1), torch.ones(6))


@pytest.mark.parametrize("name", many.HEADS)
def test_the_same_seed_builds_the_same_head_and_leaves_the_global_generator_alone(name):
    before = torch.get_rng_state()
    first, again = (many.class_head(name, SHAPE) for _ in range(2))
    assert all(torch.equal(first.state_dict()[key], value) for key, value in again.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before)


# --- draws ---


@pytest.mark.parametrize("loss", SAMPLED)
def test_a_head_on_draws_is_the_formula_on_all_its_logits(loss):
    noise = many.unigram(torch.tensor([1.0, 2, 3, 4, 5, 6, 7]))
    head = many.SampledHead(5, 7, loss=loss, num_drawn=9, noise=noise)
    got = head.loss(FEATURES, TARGETS, generator=torch.Generator().manual_seed(3))
    drawn = noise.draw(9, generator=torch.Generator().manual_seed(3)).tolist()
    logits = (FEATURES @ head.weight_KD.T + head.bias_K).detach().double().numpy()
    formulas = {"sampled": reference.sampled_softmax, "nce": reference.noise_contrastive}
    if loss == "negative":
        want = reference.negative_sampling(logits, TARGETS.tolist(), drawn)
    else:
        want = formulas[loss](logits, TARGETS.tolist(), drawn, noise_K=np.arange(1, 8) / 28)
    assert got.item() == pytest.approx(want, rel=1e-5)


def test_the_corrected_sum_over_draws_is_unbiased():
    """Its mean over all 3^2 draws, each with its probability, is the whole sum: e^loss times e^logit of the target."""
    noise, logits = (torch.tensor(each, dtype=torch.float64) for each in ([0.5, 0.3, 0.2], [[0.7, -0.4, 1.5]]))
    target = 1
    mean = 0.0
    for drawn in itertools.product(range(3), repeat=2):
        seen = drawn_from(logits, torch.tensor([target]), torch.tensor(drawn), noise)
        mean += math.prod(noise[list(drawn)].tolist()) * math.exp(many.sampled_softmax_loss(seen).item())
    assert mean * math.exp(logits[0, target]) == pytest.approx(logits.exp().sum().item(), rel=1e-12)


def gradient_error(num_drawn, *, corrected, seed=0):
    """Length of the mean error of the gradient of the logits over 300 draws, against the whole softmax."""
    torch.manual_seed(seed)
    noise = many.log_uniform(20)
    logits, target = torch.randn(1, 20).double().requires_grad_(), torch.tensor([3])
    noise_K = noise.log_probability_K.double().exp()
    want = logits.detach().softmax(dim=1) - torch.eye(20)[target]
    total = torch.zeros(1, 20)
    for number in range(300):
        drawn_S = noise.draw(num_drawn, generator=torch.Generator().manual_seed(number))
        weights = noise_K if corrected else torch.full_like(noise_K, 1 / 20)
        loss = many.sampled_softmax_loss(drawn_from(logits, target, drawn_S, weights))
        total = total + torch.autograd.grad(loss, logits)[0] / 300
    return (total - want).norm().item()


def test_the_gradient_approaches_that_of_the_whole_softmax_with_more_draws_and_only_if_corrected():
    few, more, many_draws = (gradient_error(num, corrected=True) for num in (2, 16, 128))
    assert many_draws < more < few and many_draws < 0.02
    assert gradient_error(128, corrected=False) > 10 * many_draws


@pytest.mark.parametrize(("loss", "is_normalized"), [("nce", True), ("negative", False)])
def test_only_nce_recovers_log_probabilities(loss, is_normalized):
    """Targets and draws in exact proportion make the loss its own expectation: its optimum is known."""
    targets, drawn = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 1, 2])
    p, q = torch.tensor([3.0, 1, 2]).double() / 6, torch.tensor([1.0, 3, 1]).double() / 5
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        value = SAMPLED[loss].loss(drawn_from(logits.expand(6, 3), targets, drawn, q))
        value.backward()
        return value

    optimizer.step(closure)
    want = p.log() if is_normalized else (p / (5 * q)).log()
    torch.testing.assert_close(logits.detach(), want, atol=1e-5, rtol=0)


def test_the_noise_draws_classes_as_often_as_it_says():
    noise = many.unigram(torch.tensor([16.0, 1.0, 81.0]), power=0.75)
    torch.testing.assert_close(noise.log_probability_K.exp(), torch.tensor([8.0, 1, 27]) / 36)
    drawn = noise.draw(20_000, generator=torch.Generator().manual_seed(0))
    shares = drawn.bincount(minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([8.0, 1, 27]) / 36, atol=0.015, rtol=0)  # 4 standard errors
    assert many.log_uniform(9).log_probability_K.exp()[0].item() == pytest.approx(math.log(2) / math.log(10))


# --- trees ---


def test_a_hundred_thousand_classes_are_17_decisions_deep():
    tree = many.balanced_tree(100_000)
    assert (tree.depth, tree.num_nodes) == (17, 99_999)
    assert sorted(tree.depths().unique().tolist()) == [16, 17]


@given(num_classes=some.integers(2, 200))
def test_a_balanced_tree_has_the_least_depth_and_a_leaf_for_every_class(num_classes):
    tree = many.balanced_tree(num_classes)
    assert tree.depth == math.ceil(math.log2(num_classes))
    assert sum(2.0**-depth for depth in tree.depths().tolist()) == 1  # Kraft: a full binary tree
    paths = list(zip(tree.nodes_KL.tolist(), tree.turns_KL.tolist(), strict=True))
    assert len({str(path) for path in paths}) == num_classes
    assert set(tree.nodes_KL[tree.turns_KL != 0].tolist()) == set(range(num_classes - 1))
    assert all(nodes[0] == 0 for nodes, _ in paths)


def test_a_huffman_tree_is_the_textbook_one():
    """Counts 45 13 12 16 9 5 have code lengths 1 3 3 3 4 4 and 2.24 decisions on average (Cormen, chapter 16)."""
    counts = (45, 13, 12, 16, 9, 5)
    tree = many.huffman_tree(counts)
    assert tree.depths().tolist() == [1, 3, 3, 3, 4, 4]
    assert sum(c * d for c, d in zip(counts, tree.depths().tolist(), strict=True)) / 100 == pytest.approx(2.24)


@pytest.mark.parametrize("tree", [many.balanced_tree(7), many.huffman_tree([9, 5, 3, 2, 1, 1, 1])])
def test_the_probability_of_a_leaf_is_the_product_over_its_path(tree):
    head = many.HierarchicalHead(5, 7, tree=tree)
    scores = (FEATURES[0] @ head.weight_ND.T + head.bias_N).detach().double().numpy()
    paths = [[(node, int(turn > 0)) for node, turn in zip(nodes, turns, strict=True) if turn]
             for nodes, turns in zip(tree.nodes_KL.tolist(), tree.turns_KL.tolist(), strict=True)]  # fmt: skip
    want = [reference.tree_log_probability(scores, path) for path in paths]
    assert head(FEATURES[:1])[0].tolist() == pytest.approx(want, rel=1e-5)
    one_each = head.log_probability(FEATURES[:1].expand(7, 5), torch.arange(7))
    assert one_each.tolist() == pytest.approx(want, rel=1e-5)


# --- sizes ---


def test_a_hundred_thousand_classes_take_102_million_weights_or_a_tenth():
    with torch.device("meta"):
        head = torch.nn.AdaptiveLogSoftmaxWithLoss(1024, 100_000, cutoffs=[2000, 10_000], div_value=4)
    assert 1024 * 100_000 * 4 == 409_600_000
    parts = [head.head, *head.tail]
    sizes = [sum(weight.numel() for weight in part.parameters()) for part in parts]
    assert sizes == [2_050_048, 2_310_144, 5_825_536] and sum(sizes) == 10_185_728


def test_the_default_cutoffs_are_those_of_the_example():
    head = many.class_head("adaptive", many.HeadShape(dim=16, num_classes=1000))
    assert list(head.softmax.cutoffs) == [20, 100, 1000]


# --- use ---


def test_heads_that_learn_otherwise_leave_other_checkpoints():
    def name(kind, num_drawn=4):
        shape = many.HeadShape(dim=32, num_classes=100, num_drawn=num_drawn)
        return many.HeadLoss(many.Headed(torch.nn.Identity(), many.class_head(kind, shape))).name

    assert name("sampled") == "head SampledHead sampled 4"
    assert len({name(kind) for kind in many.HEADS} | {name("sampled", 5)}) == len(many.HEADS) + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", many.HEADS)
def test_the_training_loop_teaches_the_digits_through_every_head_and_continues_to_the_same_bits(name, tmp_path):
    from edgewright.data import load_data
    from edgewright.tasks import Classify, evaluate
    from edgewright.train import Train, train_weights

    data, task = load_data("digits"), Classify(num_classes=10)
    torch.manual_seed(0)
    backbone = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU())
    net = many.Headed(backbone, many.class_head(name, many.HeadShape(dim=32, num_classes=10, num_drawn=4)))
    settings = Train(epochs=4, lr=0.01, augment="none")

    def trained(**others):
        return train_weights(net, task=task, data=data, settings=settings, seed=0, loss=many.HeadLoss(net), **others)

    outcome = trained()
    assert evaluate(outcome.net, task, data, "test").value > 85
    with pytest.raises(RuntimeError, match="stop"):
        trained(checkpoint=tmp_path, before_epoch=stop_at_3)
    again = trained(checkpoint=tmp_path)
    weights = outcome.net.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in again.net.state_dict().items())


def stop_at_3(net, number):
    if number == 3:
        raise RuntimeError("stop")


WRONG = {
    "one of full, adaptive": lambda: many.class_head("none", SHAPE),
    "cut-offs of an adaptive softmax ascend": lambda: many.AdaptiveHead(5, 7, cutoffs=[3, 3]),
    "leave the last cluster less than 1 of 5 features": lambda: many.AdaptiveHead(5, 7, cutoffs=[1, 3]),
    "numbered from the most frequent": lambda: many.class_head(
        "adaptive", many.HeadShape(dim=5, num_classes=3, counts=(1, 2, 3))
    ),
    "got the counts of 2": lambda: many.HeadShape(dim=5, num_classes=3, counts=(1, 2)),
    "needs 2 classes or more, got 1": lambda: many.balanced_tree(1),
    "0 or greater, got -1": lambda: many.huffman_tree([1, -1]),
    "tree is over 3 classes and the head over 7": lambda: many.HierarchicalHead(5, 7, tree=many.balanced_tree(3)),
    "noise is over 3 classes and the head over 7": lambda: many.SampledHead(5, 7, noise=many.uniform(3)),
    "At least 1 class is drawn": lambda: many.SampledHead(5, 7, num_drawn=0),
    "is one of sampled, nce, negative": lambda: many.SampledHead(5, 7, loss="full"),
    "give a class that was never seen a count of 1": lambda: many.unigram(torch.tensor([3.0, 0.0])),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_makes_no_head_is_told(words):
    with pytest.raises(ConfigError, match=words):
        WRONG[words]()
