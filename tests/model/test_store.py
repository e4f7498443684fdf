"""A captured model on disk: what is written is what is read, and nothing else is ever run."""

import json

import pytest
import torch
from torch import nn

from edgewright.errors import ModelError
from edgewright.model import capture, describe, fingerprint, load_model, save_model
from edgewright.model.store import GRAPH_FILE, WEIGHTS_FILE

SHAPE = (3, 8, 8)


class Everything(nn.Module):
    """Every kind of entry that a description has: layers, loose tensors, sizes, slices, dtypes, infinities."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, (3, 1), stride=(2, 1), padding=(1, 0), bias=False)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2)
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.bn_plain = nn.BatchNorm2d(4, affine=False)
        self.gn = nn.GroupNorm(2, 4)
        self.ln = nn.LayerNorm(16, bias=False)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.rand(1))
        self.register_buffer("mask", torch.rand(4, 1, 1) > 0.5)
        self.register_buffer("blur", torch.ones(1, 1, 3, 3) / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.bn_plain(self.bn(self.conv(x))))
        x = self.ln(self.gn(x)) * self.scale
        x = x.masked_fill(self.mask, float("-inf")).clamp(min=-1.0).to(torch.float32)
        x = torch.cat(x.chunk(2, 1)[::-1], 1)[:, :, 1:]
        x = torch.nn.functional.conv2d(x, self.blur.repeat(4, 1, 1, 1), padding=1, groups=4)
        return self.fc(self.drop(x.mean((2, 3)).view(x.shape[0], -1)))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return capture(Everything(), SHAPE)


@pytest.fixture
def folder(net, tmp_path):
    save_model(net, tmp_path)
    return tmp_path


def test_a_loaded_model_is_the_same_bit_for_bit(net, folder):
    again = load_model(folder)
    images = torch.rand(3, *SHAPE)
    assert torch.equal(again(images), net(images))
    assert fingerprint(again) == fingerprint(net)
    assert describe(again) == describe(net)
    assert [value.requires_grad for value in again.parameters()] == [value.requires_grad for value in net.parameters()]
    assert not again.training and again.bn.eps == 1e-3 and again.mask.dtype == torch.bool


def test_saving_twice_writes_the_same_bytes(net, folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    save_model(load_model(folder), other)
    for name in (GRAPH_FILE, WEIGHTS_FILE):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


def test_a_changed_weight_or_setting_changes_the_fingerprint(net, folder):
    changed = load_model(folder)
    changed.scale.data += 1
    assert fingerprint(changed) != fingerprint(net)
    changed = load_model(folder)
    changed.drop_p = changed.get_submodule("dropouts.dropout")
    changed.drop_p.p = 0.5
    assert fingerprint(changed) != fingerprint(net)


def test_shared_layers_stay_shared(tmp_path):
    shared = nn.Conv2d(3, 3, 3, padding=1)
    net = capture(nn.Sequential(shared, nn.ReLU(), shared), SHAPE)
    save_model(net, tmp_path)
    assert sum(value.numel() for value in load_model(tmp_path).parameters()) == 84


def refuse(folder, words):
    with pytest.raises(ModelError, match=words) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def edit(folder, change):
    description = json.loads((folder / GRAPH_FILE).read_text())
    change(description)
    (folder / GRAPH_FILE).write_text(json.dumps(description))


@pytest.mark.parametrize("name", [GRAPH_FILE, WEIGHTS_FILE])
def test_missing_and_damaged_files_are_refused(folder, name):
    content = (folder / name).read_bytes()
    for damaged in (b"", b"{}", b"[1]", content[: len(content) // 2], b"\xff" * 100, content.replace(b"conv", b"vnoc")):
        (folder / name).write_bytes(damaged)
        refuse(folder, "is damaged")
    (folder / name).unlink()
    refuse(folder, f"No model in .*: {name} is missing")


def test_weights_of_another_model_are_refused(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    save_model(capture(nn.Conv2d(3, 4, 3), SHAPE), other)
    (folder / WEIGHTS_FILE).write_bytes((other / WEIGHTS_FILE).read_bytes())
    refuse(folder, "is damaged .RuntimeError")


def test_another_version_is_refused(folder):
    edit(folder, lambda description: description.update(format="edgewright.graph/99"))
    refuse(folder, "has format edgewright.graph/99, expected edgewright.graph/1")


@pytest.mark.parametrize(
    "function",
    [
        "prims.add.default",
        "torchvision.nms.default",
        "os.system.x",
        "aten.__class__.mro",
        "aten.from_file.default",
        "eval",
    ],
)
def test_functions_of_other_namespaces_are_refused(folder, function):
    def change(description):
        call = next(node for node in description["nodes"] if node["op"] == "call_function")
        call["target"] = function

    edit(folder, change)
    refuse(folder, f"The function '{function}' in graph.json is not one that edgewright runs")


CODE = "__import__('pathlib').Path('FOLDER/ran').touch()"


@pytest.mark.parametrize(
    "change",
    [
        lambda nodes, code: nodes[0].update(target=f"x={code}"),
        lambda nodes, code: nodes[0].update(name=f"x={code}"),
        lambda nodes, code: nodes[1].update(target=f"conv({code})"),
        lambda nodes, code: nodes[1].update(kwargs={f"a={code}": 1}),
        lambda nodes, code: nodes[1].update(op="call_method", target="numpy"),
        lambda nodes, code: nodes[-1].update(op="get_attr", target=f'a"), {code}, ("'),
    ],
    ids=["placeholder", "name", "target", "keyword", "method", "attribute"],
)
def test_a_description_cannot_carry_code(folder, change):
    """torch.fx builds the Python source of `forward` from these names."""
    edit(folder, lambda description: change(description["nodes"], CODE.replace("FOLDER", str(folder))))
    refuse(folder, "is not a plain name|is not one that edgewright runs|is damaged")
    assert not (folder / "ran").exists()


def test_a_layer_type_that_is_not_in_the_table_is_refused(folder):
    edit(folder, lambda description: description["layers"]["conv"].update(type="Sequential"))
    refuse(folder, "is damaged .KeyError: 'Sequential'")
