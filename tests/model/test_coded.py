"""A captured model in a coded file: the same bits back, an honest size, and one sentence for files that are wrong."""

import json
import zlib

import pytest
import torch
from torch import nn

from edgewright.errors import ModelError
from edgewright.formats.coded import FRONT, MAGIC
from edgewright.model import capture, describe, fingerprint
from edgewright.model.coded import encode_model, load_coded


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6 * 36, 10)
        self.scale = nn.Parameter(torch.tensor([1.5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.bn(self.conv(x))).flatten(1)) * self.scale


@pytest.fixture
def net():
    """Six values of the convolution, a sparse linear layer with 9 values and a -0.0 among them."""
    torch.manual_seed(0)
    made = Net()
    with torch.no_grad():
        made.conv.weight.copy_((made.conv.weight * 7).round() / 7)
        shared = (made.fc.weight * 60).round() / 60
        made.fc.weight.copy_(torch.where(shared.abs() < 0.04, 0.0, shared))
        made.fc.weight[0, 0] = -0.0
    return capture(made, (1, 8, 8))


def written(net, tmp_path, **settings):
    path = tmp_path / "m.coded"
    path.write_bytes(encode_model(net, **settings).data)
    return path


@pytest.mark.parametrize("huffman", [True, False])
def test_a_model_comes_back_bit_for_bit(net, tmp_path, huffman):
    found, facts = load_coded(written(net, tmp_path, huffman=huffman, facts={"name": "net", "mean": [0.5]}))
    assert fingerprint(found) == fingerprint(net)  # description, names, types and every bit
    assert torch.signbit(found.fc.weight[0, 0])
    inputs = torch.randn(3, 1, 8, 8)
    assert torch.equal(found(inputs), net(inputs))
    assert facts == {"name": "net", "mean": [0.5]} and not found.training


def test_whatever_was_never_compressed_comes_back_too(tmp_path):
    torch.manual_seed(1)
    net = capture(Net(), (1, 8, 8))
    coded = encode_model(net)
    assert fingerprint(load_coded(written(net, tmp_path))[0]) == fingerprint(net)
    assert coded.parts_bytes["other"] == coded.fp32_bytes - 0  # all of it is raw
    assert coded.ratio < 1  # the description comes on top


def test_the_size_is_that_of_the_file_and_counts_everything(net, tmp_path):
    coded = encode_model(net)
    assert sum(coded.parts_bytes.values()) == len(coded.data) == written(net, tmp_path).stat().st_size
    tensors = net.state_dict().values()
    assert coded.fp32_bytes == sum(value.numel() * value.element_size() for value in tensors)
    assert coded.ratio == coded.fp32_bytes / len(coded.data) > 4
    assert coded.parts_bytes["description"] > len(zlib.compress(json.dumps(describe(net)).encode())) * 0.8


def test_equal_models_give_equal_files(net):
    assert encode_model(net).data == encode_model(net).data


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.coded cannot be read \(No such file or directory\)"):
        load_coded(tmp_path / "none.coded")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: b"not a model at all", "its first bytes are others"),
        (lambda data: data[: len(data) // 2], "cut short or changed"),
        (lambda data: data[:-5] + b"00000", "its checksum differs"),
    ],
)
def test_a_damaged_file_is_one_sentence(net, tmp_path, damage, sentence):
    path = written(net, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=rf"m\.coded is not a coded model.*{sentence}.*export it again\.$") as refused:
        load_coded(path)
    assert "\n" not in str(refused.value)


def with_content(net, path, change):
    """The file with something else in its header, and a checksum that is right."""
    data = encode_model(net).data
    _, size, _ = FRONT.unpack_from(data)
    content = json.loads(zlib.decompress(data[FRONT.size : FRONT.size + size]))
    change(content)
    header = zlib.compress(json.dumps(content).encode())
    body = header + data[FRONT.size + size :]
    path.write_bytes(FRONT.pack(MAGIC, len(header), zlib.crc32(body)) + body)
    return path


STRANGE = {
    "another format": (
        lambda content: content.update(format="edgewright.coded/9"),
        "has the format edgewright.coded/9",
    ),
    "a weight too few": (lambda content: content["model"]["layers"].pop("fc"), "damaged"),
    "another shape": (lambda content: content["tensors"][1].update(shape=[7]), "damaged"),
    "a type that is none": (lambda content: content["tensors"][-1].update(dtype="channels_last"), "damaged|type"),
    "code for a name": (
        lambda content: content["model"]["nodes"][0].update(name="x; import os"),
        "is not a plain name",
    ),
    "a function of Python": (
        lambda content: next(n for n in content["model"]["nodes"] if n["op"] == "call_function").update(
            target="os.system"
        ),
        "is not one that edgewright runs",
    ),
    "no facts": (lambda content: content.pop("facts"), "damaged"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_from_a_stranger_is_refused_in_one_sentence(net, tmp_path, name):
    change, sentence = STRANGE[name]
    with pytest.raises(ModelError, match=sentence) as refused:
        load_coded(with_content(net, tmp_path / "m.coded", change))
    assert "\n" not in str(refused.value)
