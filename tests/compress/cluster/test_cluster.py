"""The stage: settings, folding, fine-tuning that keeps the sharing, and what it says of the file."""

import dataclasses

import pytest
import torch

from edgewright.compress.cluster import CENTROIDS, Cluster
from edgewright.errors import ConfigError, LookupFailed, ModelError
from edgewright.model import fingerprint
from edgewright.model.coded import encode_model
from edgewright.train import Train

QUICK = Train(epochs=3, batch_size=64, lr=0.01, weight_decay=0.0)


def values_of(net):
    return {name: torch.unique(part.weight).numel() for name, part in net.named_modules() if hasattr(part, "stride")
            or type(part).__name__ == "Linear"}  # fmt: skip


def test_the_model_takes_few_values_and_batch_norm_is_folded(job):
    result = Cluster(bits={"conv": 4, "linear": 3}).run(job)
    assert values_of(result.model) == {"conv": 16, "depthwise": 16, "fc": 8}
    assert not any("BatchNorm" in type(part).__name__ for part in result.model.modules())
    assert result.details["layers"][2]["values"] == 8 and result.details["layers"][2]["kind"] == "linear"


def test_batch_norm_can_stay(job):
    result = Cluster(bits=8, fold=False).run(job)
    assert any("BatchNorm" in type(part).__name__ for part in result.model.modules())
    assert torch.equal(result.model.bn.running_var, job.model.bn.running_var)


@pytest.mark.slow
def test_fine_tuning_keeps_the_sharing_and_the_zeros(job):
    plain = Cluster(bits=3).run(job)
    tuned = Cluster(bits=3, train=QUICK).run(job)
    assert values_of(tuned.model) == values_of(plain.model) == {"conv": 8, "depthwise": 8, "fc": 8}
    assert torch.equal(tuned.model.fc.weight == 0, job.model.fc.weight == 0)
    assert not torch.equal(tuned.model.fc.weight, plain.model.fc.weight)
    same = plain.model.conv.weight[0, 0, 0, 0] == plain.model.conv.weight
    assert torch.equal(tuned.model.conv.weight[0, 0, 0, 0] == tuned.model.conv.weight, same)
    losses = [epoch["loss"] for epoch in tuned.details["history"]]
    assert losses == sorted(losses, reverse=True) and tuned.score.value > plain.score.value
    assert "Fine-tuned" in tuned.notes[-1]


@pytest.mark.slow
def test_another_loss_can_lead_the_fine_tuning(job):
    seen = []

    def loss(net, inputs, targets):
        seen.append(len(inputs))
        return net(inputs).square().mean()

    result = Cluster(bits=3, train=dataclasses.replace(QUICK, epochs=1, keep="last")).run(job, loss=loss)
    assert sum(seen) == len(job.data.split("train"))
    assert fingerprint(result.model) != fingerprint(Cluster(bits=3).run(job).model)


def test_the_stage_says_what_the_file_takes(job):
    result = Cluster(bits=4).run(job)
    bare, told = encode_model(result.model), result.details
    assert (
        told["coded_bytes"] == sum(told["parts_bytes"].values()) and f"{told['coded_bytes']:,} bytes" in result.notes[1]
    )
    facts = "description"  # name, preprocessing and classes are part of the file
    assert told["parts_bytes"].pop(facts) > bare.parts_bytes[facts]
    assert told["parts_bytes"] == {part: size for part, size in bare.parts_bytes.items() if part != facts}


def test_the_start_of_k_means_matters(job):
    found = {init: fingerprint(Cluster(bits=3, init=init).run(job).model) for init in ("linear", "density", "random")}
    assert len(set(found.values())) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bits": 0}, "a whole number from 1 to 8, got 0"),
        ({"bits": 9}, "a whole number from 1 to 8, got 9"),
        ({"bits": 2.5}, "a whole number from 1 to 8, got 2.5"),
        ({"bits": {"conv": 5}}, "names conv and linear, got conv"),
        ({"bits": {"conv": 5, "linear": 5, "norm": 5}}, "names conv and linear"),
    ],
)
def test_wrong_settings_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Cluster(**settings)


def test_an_unknown_start_offers_the_nearest():
    with pytest.raises(LookupFailed, match="did you mean linear"):
        Cluster(init="linea")  # type: ignore[arg-type]


def test_a_model_without_weights_to_share_is_refused(job):
    for layer in (job.model.conv, job.model.depthwise, job.model.fc):
        layer.weight.data.zero_()
    with pytest.raises(ModelError, match="small_net has no convolution or linear layer whose weights could be shared"):
        Cluster().run(job)


def test_centroids_are_never_decayed():
    """Decay would pull each value to zero, whatever its weights say; it has one axis and so is spared in any case."""
    assert CENTROIDS.weight_decay == 0
