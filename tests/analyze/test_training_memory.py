"""Training memory: hand-derived nets, real tensors, PyTorch's own optimizers and profiler as oracles."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from edgewright import zoo
from edgewright.analyze.training_memory import OPTIMIZERS, largest_batch, training_memory
from edgewright.analyze.training_step import measured_step
from edgewright.errors import BudgetError, ConfigError, LookupFailed, ModelError
from edgewright.model import capture

FLOAT = 4


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 5))


class Small(nn.Module):
    """A bit of everything: normalization, dropout, attention, a branch, a function in place, a tied weight."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.query, self.value = nn.Linear(8, 8), nn.Linear(8, 8)
        self.value.weight = self.query.weight
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        y = functional.relu(self.norm(self.stem(x)), inplace=True)
        y = y + functional.silu(y)
        tokens = self.drop(y).flatten(2).transpose(1, 2)
        asked, given = self.query(tokens)[:, None], self.value(tokens)[:, None]
        mixed = functional.scaled_dot_product_attention(asked, tokens[:, None], given)
        return {"scores": self.head(mixed.mean((1, 2))), "map": functional.max_pool2d(y, 2)}


MODELS = {
    "mlp": (mlp, (3, 2, 2)),
    "small": (Small, (3, 8, 8)),
    "resnet8": (lambda: zoo.resolve("resnet8", num_classes=10).model, (3, 32, 32)),
    "mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, (3, 64, 64)),
    "vit": (lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64), (3, 32, 32)),
}

NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "mobilenet_v3_small" else name for name in MODELS]


@pytest.mark.parametrize("batch", [1, 7])
def test_the_parts_of_a_small_net_by_hand(batch):
    memory = training_memory(mlp(), (3, 2, 2), batch=batch, optimizer="momentum")
    weights = FLOAT * (12 * 20 + 20 + 20 * 5 + 5)
    assert (memory.weight_bytes, memory.gradient_bytes, memory.optimizer_bytes) == (weights, weights, weights)
    assert (memory.input_bytes, memory.buffer_bytes) == (batch * 12 * FLOAT, 0)
    # ReLU and the second layer keep one and the same tensor; the first layer keeps the input, counted already
    assert memory.activation_bytes == batch * 20 * FLOAT
    outputs = 2 * batch * 5 * FLOAT  # the model's outputs and their gradient
    hidden = batch * 20 * FLOAT
    moments = [
        outputs + hidden + FLOAT * (20 * 5 + 5),  # last layer: gradients of its input and of its weights
        outputs + 2 * hidden,  # ReLU: gradients of its output and of its input
        outputs + hidden - hidden + FLOAT * (12 * 20 + 20),  # first layer: what ReLU kept is gone
    ]
    assert memory.transient_bytes == max(moments) == (moments[2] if batch == 1 else moments[1])
    assert memory.total_bytes == sum(memory.parts.values())


def tensors_kept(model: nn.Module, images: torch.Tensor) -> int:
    """Bytes that autograd saves in a real forward pass: every memory once, none of the model's or the input's."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers(), images)}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.detach()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(images)
    return sum(each.untyped_storage().nbytes() for each in kept.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_saved_activations_are_those_of_a_real_forward_pass(name):
    build, shape = MODELS[name]
    model = build().train()
    assert training_memory(model, shape, batch=3).activation_bytes == tensors_kept(model, torch.rand(3, *shape))


def steps(name: str, dtype: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Saved and most bytes of one step: as computed without data, and with data."""
    build, shape = MODELS[name]
    model = build().train()
    memory = training_memory(model, shape, batch=3, dtype=dtype)
    for each in model.parameters():
        each.grad = torch.zeros_like(each)
    real = measured_step(model, torch.rand(3, *shape), amp=dtype == "amp")
    saved = memory.activation_bytes
    return (saved, saved + memory.transient_bytes), (real.saved, real.most)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_without_data_takes_what_the_same_step_takes_with_data(name):
    without, real = steps(name, "float32")
    assert without == real


def test_under_autocast_only_the_statistics_of_a_normalization_differ():
    """With data a batch normalization keeps two float32 per channel; without, PyTorch says two bfloat16."""
    without, real = steps("small", "amp")
    assert [second - first for first, second in zip(without, real, strict=True)] == [8 * 4, 8 * 4]


def allocated(model: nn.Module, images: torch.Tensor) -> int:
    """The most bytes that PyTorch's allocator hands out at once during a real step, by its profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        made = model(images)
        made.backward(torch.ones_like(made))
    events = [each for each in profiler.profiler.kineto_results.events() if each.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_growth_per_sample_is_what_the_allocator_measures(name):
    model = getattr(torchvision.models, name)().train()
    for each in model.parameters():
        each.grad = torch.zeros_like(each)
    few, many = (allocated(model, torch.rand(batch, 3, 64, 64)) for batch in (4, 12))
    first, last = (training_memory(model, (3, 64, 64), batch=batch) for batch in (4, 12))
    ours = (last.total_bytes - last.input_bytes) - (first.total_bytes - first.input_bytes)
    # equal to the byte where it was written; convolutions of other processors may take room for themselves
    assert ours == pytest.approx(many - few, rel=0.05)


MAKE = {
    "sgd": lambda params: torch.optim.SGD(params, lr=0.1),
    "momentum": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "radam": torch.optim.RAdam,
    "nadam": torch.optim.NAdam,
    "amsgrad": lambda params: torch.optim.Adam(params, amsgrad=True),
}


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "lion"])  # torch has no Lion
def test_optimizer_state_is_what_the_optimizer_keeps_after_a_step(name):
    model = Small()
    optimizer = MAKE[name](model.parameters())
    for each in model.parameters():
        each.grad = torch.ones_like(each)
    optimizer.step()
    kept = [each for state in optimizer.state.values() for each in state.values() if isinstance(each, torch.Tensor)]
    expected = sum(each.numel() * each.element_size() for each in kept)
    assert training_memory(model, (3, 8, 8), optimizer=name).optimizer_bytes == expected


def test_lion_keeps_one_moment():
    memory = training_memory(mlp(), (3, 2, 2), optimizer="lion")
    assert memory.optimizer_bytes == memory.weight_bytes


def test_frozen_layers_have_no_gradient_and_no_state_and_keep_less():
    whole, frozen = mlp(), mlp()
    frozen[1].requires_grad_(False)
    before, after = (training_memory(each, (3, 2, 2), optimizer="sgd", batch=4) for each in (whole, frozen))
    assert after.weight_bytes == before.weight_bytes
    assert after.gradient_bytes == FLOAT * (20 * 5 + 5)
    assert after.activation_bytes == 4 * 20 * FLOAT  # the last layer still needs its input
    last = copy.deepcopy(whole)
    last[1].requires_grad_(False)
    last[3].weight.requires_grad_(False)
    assert training_memory(last, (3, 2, 2), batch=4).activation_bytes == 0  # a bias needs nothing


def test_half_precision_halves_everything_and_amp_the_activations():
    full, half, amp = (
        training_memory(mlp(), (3, 2, 2), batch=64, dtype=each) for each in ("float32", "bfloat16", "amp")
    )
    assert {2 * size for size in half.parts.values()} - {2 * half.optimizer_bytes} == {
        size for size in full.parts.values() if size != full.optimizer_bytes
    }
    for name in ("weight_bytes", "buffer_bytes", "gradient_bytes", "optimizer_bytes"):
        assert getattr(amp, name) == getattr(full, name)
    weights_in_half = 2 * (20 * 5)  # autocast's copy of the last layer's weights, which its input's gradient needs
    images_in_half = 2 * 64 * 12
    assert amp.activation_bytes == full.activation_bytes // 2 + weights_in_half + images_in_half


def test_the_model_stays_as_it_is():
    model = Small().eval()
    model.drop.train()
    before = copy.deepcopy(model.state_dict())
    training_memory(model, (3, 8, 8), batch=2)
    assert [each.training for each in (model, model.norm, model.drop)] == [False, False, True]
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(each.grad is None for each in model.parameters())


def test_a_captured_model_knows_its_shape():
    net = capture(mlp(), (3, 2, 2))
    assert training_memory(net, batch=7) == training_memory(mlp(), (3, 2, 2), batch=7)


def test_what_one_more_sample_adds_is_what_the_next_batch_needs_more():
    first, second = (training_memory(Small(), (3, 8, 8), batch=batch) for batch in (5, 6))
    assert first.bytes_per_sample == second.total_bytes - first.total_bytes


def test_rows_add_up():
    rows = training_memory(Small(), (3, 8, 8)).rows()
    *parts, total = rows
    assert total["memory_bytes"] == sum(row["memory_bytes"] for row in parts)
    assert sum(row["share_of_total"] for row in parts) == pytest.approx(1)
    assert {row["part"] for row in parts if row["grows_with_batch"]} == {"input", "saved activations", "transient"}


def check_largest(model: nn.Module, shape: tuple[int, ...], budget_bytes: int) -> int:
    found = largest_batch(model, shape, budget_bytes=budget_bytes)
    assert found.memory == training_memory(model, shape, batch=found.batch)
    assert found.memory.total_bytes <= budget_bytes < found.next_bytes
    assert found.next_bytes == training_memory(model, shape, batch=found.batch + 1).total_bytes
    return found.batch


@settings(max_examples=6)
@given(budget_bytes=st.integers(7_100, 3_000_000))
def test_the_largest_batch_fits_and_the_next_does_not(budget_bytes):
    check_largest(mlp(), (3, 2, 2), budget_bytes)


def test_the_largest_batch_of_a_net_with_branches():
    assert check_largest(Small(), (3, 8, 8), 10**6) > 10


def test_a_model_that_needs_two_samples_starts_at_two():
    model = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    assert largest_batch(model, (3, 8, 8), budget_bytes=20_000).batch > 2
    with pytest.raises(BudgetError, match="to train on 2 samples, the fewest that it runs on, the budget is 100:"):
        largest_batch(model, (3, 8, 8), budget_bytes=100)
    with pytest.raises(ModelError, match=r"an input of shape \(1, 3, 8, 8\) \(ValueError: Expected more"):
        training_memory(model, (3, 8, 8))


def test_a_budget_below_one_sample_names_what_takes_most():
    with pytest.raises(
        BudgetError, match=r"on one sample, the budget is 1,000: most goes to optimizer state \(2,9"
    ) as caught:
        largest_batch(mlp(), (3, 2, 2), budget_bytes=1_000)
    assert "for instance sgd" in str(caught.value)
    wide = nn.Sequential(nn.Conv2d(3, 8, 3), *(nn.Sigmoid() for _ in range(5)))
    with pytest.raises(BudgetError, match=r"most goes to saved activations .* smaller images"):
        largest_batch(wide, (3, 64, 64), budget_bytes=100_000)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"optimizer": "adan"}, LookupFailed, "Unknown optimizer 'adan': training memory knows sgd, momentum"),
        ({"dtype": "int8"}, ConfigError, "A training dtype is one of float32, bfloat16, float16, amp, got 'int8'"),
        ({"batch": 0}, ConfigError, "A batch has at least one sample, got 0"),
    ],
)
def test_wrong_settings_are_named(settings, error, words):
    with pytest.raises(error, match=words):
        training_memory(mlp(), (3, 2, 2), **settings)


def test_models_that_cannot_learn_or_run_are_named():
    with pytest.raises(ConfigError, match=r"A Sequential does not know its input: pass input_shape"):
        training_memory(mlp())
    with pytest.raises(ModelError, match="Sequential has no trainable parameters"):
        training_memory(mlp().requires_grad_(False), (3, 2, 2))
    with pytest.raises(ModelError, match=r"Sequential does not train on an input of shape \(1, 3, 9, 9\)"):
        training_memory(mlp(), (3, 9, 9))
    unused = nn.Sequential(nn.ReLU())
    unused.extra = nn.Linear(2, 2)
    unused.forward = lambda x: x * 2
    with pytest.raises(ModelError, match="depend on no trainable parameter"):
        training_memory(unused, (3, 2, 2))
