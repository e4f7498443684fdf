import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.errors import ConfigError, ModelError
from edgewright.reference import optimizers as reference
from edgewright.reference.optimizers import How
from edgewright.train import Train
from edgewright.train.optimizers import OPTIMIZERS, Lookahead, make_optimizer, optimizer_of
from edgewright.train.step import _clip

# f(p) = p^2 / 2 from p = 1 with lr .1: the gradient is p. Values after 1, 2, 3 steps (and 4 of Lookahead).
WORKED = {
    ("sgd", 0.0, 0.9): [0.81, 0.5751, 0.327321],  # Nesterov
    ("sgd", 0.0, 0.0): [0.9, 0.81, 0.729],
    ("momentum", 0.0, 0.9): [0.9, 0.72, 0.486],
    ("nesterov", 0.0, 0.9): [0.81, 0.5751, 0.327321],
    ("adagrad", 0.0, 0.9): [0.9, 0.833104, 0.780456],
    ("rmsprop:beta2=0.9", 0.0, 0.9): [0.683772, 0.498871, 0.369181],
    ("adam", 0.0, 0.9): [0.9, 0.800412, 0.701586],
    ("adam", 0.1, 0.9): [0.9, 0.800412, 0.701586],  # here the scaling takes the whole decay back
    ("adamw", 0.0, 0.9): [0.9, 0.800412, 0.701586],
    ("adamw", 0.1, 0.9): [0.89, 0.781572, 0.675101],
    ("radam", 0.0, 0.9): [0.9, 0.805263, 0.715770],
    ("lookahead:sgd:k=2", 0.0, 0.0): [0.9, 0.905, 0.8145, 0.819025],
}
DECAY, LR, M = 0.01, 0.05, 0.9


def timm_optim(name):
    import timm.optim

    return getattr(timm.optim, name)


def adafactor_of_timm(groups):
    from timm.optim.adafactor import Adafactor

    return Adafactor(groups, lr=LR)


PEERS = {  # name -> the optimizer as its own library makes it
    "sgd": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=M, nesterov=True),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=M),
    "nesterov": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=M, nesterov=True),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, lr=LR),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=LR),
    "adam": lambda groups: torch.optim.Adam(groups, lr=LR),
    "amsgrad": lambda groups: torch.optim.Adam(groups, lr=LR, amsgrad=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=LR),
    "nadam": lambda groups: torch.optim.NAdam(groups, lr=LR),
    "radam": lambda groups: torch.optim.RAdam(groups, lr=LR),
    "adafactor": adafactor_of_timm,
    "adafactor-relative": lambda groups: torch.optim.Adafactor(groups, lr=LR),
    "lars": lambda groups: timm_optim("Lars")(groups, lr=LR, momentum=M),
    "lamb": lambda groups: timm_optim("Lamb")(groups, lr=LR, max_grad_norm=None),
}
SWITCHES = {"adam-to-sgd", "adam-to-sgd-plateau", "swats"}  # tests/train/test_switch.py
EPS = {"adagrad": 1e-10, "lamb": 1e-6, "adafactor": 1e-30, "adafactor-relative": 0.0}
NAMES = [name for name in OPTIMIZERS if name not in SWITCHES]


def slope(weight):
    """Of a function with valleys: sum of w^2/2 curved from .5 to 2, and cos(3 w)/3."""
    curvature = np.linspace(0.5, 2, weight.size).reshape(weight.shape)
    return curvature * weight - np.sin(3 * weight)


def start(*shape):
    return np.random.default_rng(7).normal(size=shape)


def walk(optimizer, weights, num_steps):
    """The weights after each step."""
    path = []
    for _ in range(num_steps):
        for weight in weights:
            weight.grad = torch.from_numpy(slope(weight.detach().numpy())).to(weight.dtype)
        optimizer.step()
        path.append([weight.detach().numpy().copy() for weight in weights])
    return path


def weights_of(*shapes, dtype=torch.float64):
    return [nn.Parameter(torch.from_numpy(start(*shape)).to(dtype)) for shape in shapes]


@pytest.mark.parametrize("case", WORKED, ids=str)
def test_worked_steps(case):
    name, weight_decay, momentum = case
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.float64))
    optimizer = make_optimizer([weight], name=name, lr=0.1, weight_decay=weight_decay, momentum=momentum)
    path = []
    for _ in WORKED[case]:
        optimizer.zero_grad()
        (weight**2 / 2).sum().backward()
        optimizer.step()
        path.append(weight.item())
    assert path == pytest.approx(WORKED[case], abs=1e-6)


def test_every_optimizer_has_a_peer():
    assert set(PEERS) | SWITCHES == set(OPTIMIZERS)
    assert set(PEERS) <= set(reference.RULES)


@pytest.mark.parametrize("name", NAMES)
def test_twenty_steps_are_those_of_the_library_that_it_comes_from(name):
    ours, theirs = weights_of((20, 24), (5,)), weights_of((20, 24), (5,))
    optimizer = make_optimizer(ours, name=name, lr=LR, weight_decay=DECAY, momentum=M)
    peer = PEERS[name]([{"params": theirs[:1], "weight_decay": DECAY}, {"params": theirs[1:], "weight_decay": 0.0}])
    for step, expected in zip(walk(optimizer, ours, 20), walk(peer, theirs, 20), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(step, expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 3, 3)], ids=["matrix", "kernel"])
def test_twenty_steps_are_those_of_the_formula(name, shape):
    (weight,) = weights_of(shape)
    axes = (len(shape) - 2, len(shape) - 1) if name == "adafactor-relative" else (0, 1)
    b2 = 0.99 if name == "rmsprop" else 0.999
    how = How(lr=LR, m=M, b2=b2, eps=EPS.get(name, 1e-8), decay=DECAY, axes=axes)
    rule = reference.nesterov if name == "sgd" else reference.RULES[name]
    path = walk(make_optimizer([weight], name=name, lr=LR, weight_decay=DECAY, momentum=M), [weight], 20)
    expected = reference.walk(rule, how, slope=slope, start=start(*shape), num_steps=20)
    close = 1e-6 if name == "nadam" else 1e-9  # PyTorch keeps the product of NAdam's momenta in float32
    np.testing.assert_allclose([step for (step,) in path], expected, rtol=close, atol=close / 1000)


@pytest.mark.parametrize("name", ["lars", "lamb"])
def test_norms_and_biases_keep_the_plain_rate_and_kernels_without_decay_do_not(name):
    plain = {"lars": reference.momentum, "lamb": reference.adam}[name]
    how = How(lr=LR, eps=EPS.get(name, 1e-8))
    weights = weights_of((3, 4), (5,))
    path = walk(make_optimizer(weights, name=name, lr=LR, weight_decay=0, momentum=M), weights, 5)
    rules = [(reference.RULES[name], (3, 4)), (plain, (5,))]
    for position, (rule, shape) in enumerate(rules):
        expected = reference.walk(rule, how, slope=slope, start=start(*shape), num_steps=5)
        np.testing.assert_allclose([step[position] for step in path], expected, rtol=1e-9)


@pytest.mark.parametrize("base", ["sgd", "adamw", "lamb", "adafactor"])
def test_lookahead_wraps_any_optimizer_as_in_the_paper(base):
    (weight,) = weights_of((20, 24))
    name = f"lookahead:{base}:k=3,alpha=0.8"
    path = walk(make_optimizer([weight], name=name, lr=LR, weight_decay=DECAY, momentum=M), [weight], 20)
    rule = reference.lookahead(reference.nesterov if base == "sgd" else reference.RULES[base], k=3, alpha=0.8)
    how = How(lr=LR, eps=EPS.get(base, 1e-8), decay=DECAY)
    expected = reference.walk(rule, how, slope=slope, start=start(20, 24), num_steps=20)
    np.testing.assert_allclose([step for (step,) in path], expected, rtol=1e-9, atol=1e-12)


def test_lookahead_is_timms_from_its_first_meeting_on():
    """timm begins its slow weights there, so both agree when ours begin at the same weights."""
    ours, theirs = weights_of((3, 4)), weights_of((3, 4))
    peer = timm_optim("Lookahead")(torch.optim.SGD(theirs, lr=LR), k=4, alpha=0.3)
    walk(torch.optim.SGD(ours, lr=LR), ours, 4)
    walk(peer, theirs, 4)
    assert torch.equal(ours[0], theirs[0])
    optimizer = Lookahead(torch.optim.SGD(ours, lr=LR), k=4, alpha=0.3)
    np.testing.assert_array_equal(walk(optimizer, ours, 12), walk(peer, theirs, 12))


@pytest.mark.parametrize("name", [*NAMES, "lookahead:adamw:k=4", "lookahead:lamb:k=4"])
def test_a_state_that_was_written_and_read_goes_on_to_the_same_bits(name):
    whole, halved = (weights_of((20, 24), (5,), dtype=torch.float32) for _ in range(2))
    settings = {"name": name, "lr": LR, "weight_decay": DECAY, "momentum": M}
    expected = walk(make_optimizer(whole, **settings), whole, 20)[-1]
    first = make_optimizer(halved, **settings)
    walk(first, halved, 10)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = make_optimizer(halved, **settings)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert all(np.array_equal(a, b) for a, b in zip(walk(second, halved, 10)[-1], expected, strict=True))


def test_the_heavy_ball_makes_a_constant_gradient_worth_ten_steps():
    """The long-run step is lr / (1 - m)."""
    (weight,) = weights_of((1, 1))
    optimizer = make_optimizer([weight], name="momentum", lr=0.1, weight_decay=0, momentum=0.9)
    for _ in range(300):
        before = weight.item()
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert before - weight.item() == pytest.approx(0.1 / (1 - 0.9), rel=1e-9)


def test_the_first_step_of_adam_is_the_rate_in_the_direction_of_the_sign():
    (weight,) = weights_of((3, 4))
    before = weight.detach().clone()
    weight.grad = torch.linspace(-100, 1, 12, dtype=torch.float64).reshape(3, 4)
    make_optimizer([weight], name="adam", lr=0.1, weight_decay=0, momentum=0.9).step()
    torch.testing.assert_close(before - weight.detach(), 0.1 * weight.grad.sign(), rtol=0, atol=1e-7)


def test_adafactor_keeps_rows_and_columns_where_adam_keeps_all():
    kernel = nn.Parameter(torch.ones(32, 64, 3, 3))
    kept = {}
    for name in ("adam", "adafactor", "adafactor-relative"):
        optimizer = make_optimizer([kernel], name=name, lr=0.1, weight_decay=0, momentum=0.9)
        kernel.grad = torch.ones_like(kernel)
        optimizer.step()
        state = optimizer.state[kernel].values()
        kept[name] = sum(each.numel() for each in state if torch.is_tensor(each) and each.dim() > 0)
    assert kept == {"adam": 2 * 32 * 64 * 9, "adafactor": (32 + 64) * 9, "adafactor-relative": 32 * 64 * (3 + 3)}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(name):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.LayerNorm([4, 6, 6]))
    optimizer = optimizer_of(net, Train(optimizer=name, weight_decay=0.5))
    decay = {id(each): group["weight_decay"] for group in optimizer.param_groups for each in group["params"]}
    decayed = [name for name, each in net.named_parameters() if decay.pop(id(each)) == 0.5]
    assert decayed == ["0.weight"]
    assert decay == {}


def test_frozen_parameters_are_left_out():
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    optimizer = make_optimizer(net.parameters(), name="sgd", lr=0.1, weight_decay=0, momentum=0)
    assert [group["params"] for group in optimizer.param_groups] == [[net.bias]]


def test_the_default_optimizer_is_what_it_was():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    (decayed, plain) = optimizer_of(net, Train()).param_groups
    assert isinstance(optimizer_of(net, Train()), torch.optim.AdamW)
    assert decayed["params"] == [net[0].weight]
    assert plain["params"] == [net[0].bias, net[1].weight, net[1].bias]
    assert (decayed["weight_decay"], decayed["lr"], decayed["betas"]) == (0.05, 3e-3, (0.9, 0.999))
    assert "lr_scale" not in decayed


def test_a_model_without_parameters_cannot_be_trained():
    with pytest.raises(ModelError, match="The model has no trainable parameters: nothing can be learnt"):
        make_optimizer(nn.ReLU().parameters(), name="sgd", lr=0.1, weight_decay=0, momentum=0)


WRONG = {
    "adamm": r"^Train.optimizer must be one of sgd, .*, perhaps after 'lookahead:', got 'adamm': did you mean adam\.$",
    "lookahead:nadm:k=2": r"got 'lookahead:nadm:k=2': did you mean nadam\.$",
    "quark": r"got 'quark'\.$",
    "adam:beta3=1": "The optimizer 'adam' has no option 'beta3': it takes beta2, eps",
    "sgd:eps=1": "The optimizer 'sgd' has no option 'eps': it takes none",
    "adam:beta2=high": "The optimizer option 'beta2=high' is no number: write for instance adam:beta2=0.5",
    "adam:beta2=1": r"Adam.beta2 must be in \[0, 1\), got 1",
    "lookahead:adam:k=0": "LookaheadSettings.k must be a whole number from 1, got 0",
    "lookahead:swats": "Lookahead wraps one optimizer, and 'swats' is two in turn: take lookahead:adam or swats",
}


@pytest.mark.parametrize("text", WRONG)
def test_an_optimizer_that_is_spelled_wrong_is_one_sentence(text):
    with pytest.raises(ConfigError, match=WRONG[text]):
        Train(optimizer=text)


def test_whole_numbers_are_taken_for_rate_momentum_and_betas():
    for name, each in OPTIMIZERS.items():
        if name in ("momentum", "nesterov"):  # they refuse to have none
            continue
        options = ":beta2=0" if hasattr(each, "beta2") else ""
        weight = nn.Parameter(torch.ones(1, 2))
        optimizer = make_optimizer([weight], name=f"{name}{options}", lr=1, weight_decay=0, momentum=0)
        weight.grad = torch.ones(1, 2)
        optimizer.step()
        assert torch.isfinite(weight).all(), name


def test_the_heavy_ball_without_momentum_is_refused():
    with pytest.raises(ConfigError, match="The optimizer 'momentum' needs a momentum in"):
        make_optimizer(weights_of((1, 1)), name="momentum", lr=0.1, weight_decay=0, momentum=0)


def test_the_gradient_of_all_weights_is_clipped_as_one_vector():
    """(3, 4, 12), spread over two parameters, has the length 13 (Pascanu 2013)."""
    net = nn.ParameterList([nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(2))])
    net[0].grad, net[1].grad = torch.tensor([3.0]), torch.tensor([4.0, 12.0])
    _clip(net, SimpleNamespace(settings=Train(clip_norm=1.0)))
    got = [*net[0].grad.tolist(), *net[1].grad.tolist()]
    assert got == pytest.approx([3 / 13, 4 / 13, 12 / 13], rel=1e-6)
