"""`FILE.py:factory`: the user's own code, and everything that can be wrong with it."""

import sys

import pytest
import torch

from edgewright import zoo
from edgewright.errors import ConfigError, LookupFailed, ModelError
from edgewright.model import capture

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels=3):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

def make_model(num_classes=10, in_channels=3):
    return Net(num_classes, in_channels)

def shaped(num_classes):
    model = Net(num_classes)
    model.input_shape, model.mean, model.std = (3, 12, 16), (0.5, 0.4, 0.3), [1, 1, 1]
    return model

def trained(num_classes):
    model = Net(num_classes)
    model.load_state_dict({key: torch.full_like(value, 0.5) for key, value in model.state_dict().items()})
    return model

def reseeding(num_classes):
    torch.manual_seed(0)
    return Net(num_classes)

def wrong_shape():
    model = Net(10)
    model.input_shape = "3x32x32"
    return model

def wrong_mean():
    model = Net(10)
    model.mean = (0.5,)
    return model

def sized(image_size, num_classes=2):
    return nn.Sequential(nn.Flatten(), nn.Linear(image_size * image_size, num_classes))

def a_function():
    return lambda x: x

def fails():
    raise RuntimeError("no such checkpoint\\nsecond line")

def needs(depth, *rest, **more):
    return Net(10)
"""


@pytest.fixture
def net_file(tmp_path):
    path = tmp_path / "my_net.py"
    path.write_text(NET)
    return path


def test_the_factory_gets_what_it_names(net_file):
    built = zoo.resolve(f"{net_file}:make_model", num_classes=6, channels=1, image_size=9)
    assert built.name == "my_net.py:make_model"
    assert built.input_shape == (1, 9, 9)
    assert built.model(torch.rand(2, 1, 9, 9)).shape == (2, 6)
    assert not built.trained
    assert zoo.resolve(f"{net_file}:sized", num_classes=3, channels=1, image_size=5).model[1].in_features == 25


def test_the_model_may_say_its_input_and_normalization(net_file):
    built = zoo.resolve(f"{net_file}:shaped", num_classes=6)
    assert (built.input_shape, built.mean, built.std) == ((3, 12, 16), (0.5, 0.4, 0.3), (1.0, 1.0, 1.0))
    assert zoo.resolve(f"{net_file}:shaped", num_classes=6, image_size=8).input_shape == (3, 8, 8)


def test_a_user_model_is_captured(net_file):
    built = zoo.resolve(f"{net_file}:make_model", num_classes=6, channels=1, image_size=9)
    images = torch.rand(3, 1, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(capture(built.model, built.input_shape)(images), built.model(images))


def test_a_factory_that_loads_weights_gives_a_trained_model(net_file):
    assert zoo.resolve(f"{net_file}:trained", num_classes=2, channels=3, image_size=8).trained
    assert not zoo.resolve(f"{net_file}:reseeding", num_classes=2, channels=3, image_size=8).trained


def test_the_seed_decides_the_users_random_weights(net_file):
    spec = f"{net_file}:make_model"
    first, again, other = (
        zoo.resolve(spec, num_classes=2, channels=3, image_size=8, seed=seed).model.fc.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_imports_beside_the_file_work_and_leave_the_path_alone(tmp_path):
    (tmp_path / "parts_of_my_net.py").write_text("from torch import nn\nblock = nn.Linear\n")
    path = tmp_path / "uses.py"
    path.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
        "@dataclass\nclass Settings:\n    width: int = 4\n"
        "def make(num_classes: int) -> nn.Module:\n    from parts_of_my_net import block\n"
        "    return nn.Sequential(nn.Flatten(), block(Settings().width, num_classes))\n"
    )
    before = list(sys.path)
    built = zoo.resolve(f"{path}:make", num_classes=2, channels=1, image_size=2)
    assert built.model(torch.rand(1, 1, 2, 2)).shape == (1, 2)
    assert sys.path == before


@pytest.mark.parametrize(
    ("factory", "error", "words"),
    [
        ("make_modle", LookupFailed, "Unknown function in my_net.py 'make_modle': did you mean make_model"),
        ("", ConfigError, "names no function: write it as my_net.py:make_model"),
        ("a_function", ModelError, "a_function returned function, expected a torch.nn.Module"),
        ("fails", ModelError, r"fails\(\) raised RuntimeError: no such checkpoint: mend"),
        ("needs", ModelError, "needs depth: give a default"),
        ("wrong_shape", ModelError, "has input_shape '3x32x32', expected three integers"),
        ("wrong_mean", ModelError, r"has mean \(0.5,\), expected one number for each of its 3 channels"),
    ],
)
def test_what_is_wrong_with_the_factory_is_one_clear_sentence(net_file, factory, error, words):
    with pytest.raises(error, match=words) as caught:
        zoo.resolve(f"{net_file}:{factory}", num_classes=10, channels=3, image_size=8)
    assert "\n" not in str(caught.value)


def test_nobody_knows_the_input_size(net_file):
    with pytest.raises(ConfigError, match=r"does not say what images it takes: set `model\.input_shape"):
        zoo.resolve(f"{net_file}:make_model", num_classes=10)
    with pytest.raises(ConfigError, match="names no function"):
        zoo.resolve(str(net_file), num_classes=10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import a_package_that_nobody_has", "does not run .ModuleNotFoundError: No module named"),
        ("def make(:", "does not run .SyntaxError"),
        ("raise SystemExit(3)", "does not run .SystemExit: 3"),
    ],
)
def test_a_file_that_does_not_run_is_one_clear_sentence(tmp_path, text, words):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(ModelError, match=words) as caught:
        zoo.resolve(f"{path}:make", num_classes=10)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.py does not exist"):
        zoo.resolve(f"{tmp_path}/nowhere.py:make", num_classes=10)
