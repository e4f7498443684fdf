"""`TrainTicket` and `Tickets`: what trains, what stays 0, and that rewinding is the dense training up to its step."""

import dataclasses

import pytest
import torch
from torch import nn

from edgewright.compress.prune.tickets import Tickets, TrainTicket, keep_of, masked, masks_of, whole
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import Job

DATA, TASK = load_data("digits"), Classify(num_classes=10)
QUICK = Train(epochs=2, batch_size=256, keep="last", augment="none")  # 10 steps


def net_of(seed: int = 0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return capture(nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)), (1, 8, 8))


def ticket_job(**changes) -> tuple[Job, dict[str, torch.Tensor]]:
    start = net_of()
    masks = Tickets(rate=0.5).next_masks(whole(start), start, 1)
    job = Job(model=masked(start, masks), task=TASK, data=DATA, device=device("generic-x86"), teacher=start, **changes)
    return job, masks


def test_rates_apply_to_the_last_layer_apart():
    settings = Tickets(rate=0.2, last_rate=0.1)
    assert settings.counts(net_of(), 5) == {("1",): 629, ("3",): 177}  # 1920 * 0.8^5, 300 * 0.9^5
    assert dataclasses.replace(settings, last_rate=0).counts(net_of(), 5)[("3",)] == 300


def test_global_scope_lets_all_layers_but_the_last_compete():
    net = capture(nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 2)), (4,))
    assert Tickets(scope="global", rate=0.5).counts(net, 1) == {("0", "1"): 27, ("2",): 9}
    alone = capture(nn.Sequential(nn.Linear(4, 6)), (4,))
    assert Tickets(scope="global", rate=0.5).counts(alone, 1) == {("0",): 12}


@pytest.mark.parametrize("rewind", [0, 3])
def test_a_trained_ticket_has_its_zeros_and_no_others_and_all_else_has_learnt(rewind):
    job, masks = ticket_job()
    result = TrainTicket(rewind=rewind, train=QUICK).run(job)
    trained = masks_of(result.model)
    for path, left in masks.items():
        assert torch.equal(trained[path], left)
        weight, initial = (net.get_submodule(path).weight[left] for net in (result.model, job.teacher))
        assert bool((weight != initial).all())
    assert result.details["keep"] == keep_of(masks)
    assert result.details["score_test"]["split"] == "test" and result.score.split == "val"


def test_a_ticket_rewound_to_a_step_is_the_dense_net_of_that_step_under_the_mask():
    job, masks = ticket_job()
    seen: dict[str, dict[str, torch.Tensor]] = {}

    def record(name):
        def keep(net, step):
            if step == 4:
                seen[name] = {key: value.detach().clone() for key, value in net.named_parameters()}

        return keep

    train_weights(job.teacher, task=TASK, data=DATA, settings=QUICK, seed=0, after_step=record("dense"))
    stage = TrainTicket(rewind=4, train=QUICK)
    put_on = stage._masking(masks)
    train_weights(
        job.teacher, task=TASK, data=DATA, settings=QUICK, seed=0,
        after_step=lambda net, step: (put_on(net, step), record("ticket")(net, step)),
    )  # fmt: skip
    for name, value in seen["dense"].items():
        path = name.removesuffix(".weight")
        want = value * masks[path] if path in masks else value
        assert torch.equal(seen["ticket"][name], want), name


def test_a_whole_mask_trains_as_training_does():
    start = net_of()
    job = Job(model=masked(start, whole(start)), task=TASK, data=DATA, device=device("generic-x86"))
    ours = TrainTicket(train=QUICK).run(job).model
    plain = train_weights(start, task=TASK, data=DATA, settings=QUICK, seed=0).net
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), plain.parameters(), strict=True))


def test_the_first_epoch_that_scored_best_counts():
    job, _ = ticket_job()
    details = TrainTicket(train=dataclasses.replace(QUICK, epochs=4)).run(job).details
    scores = [epoch["score"] for epoch in details["history"]]
    assert details["epochs_to_best"] == scores.index(max(scores)) + 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": 0}, "Tickets.rounds must be a whole number from 1, got 0"),
        ({"rate": 1.0}, "Tickets.rate must be a share between 0 and 1, got 1.0"),
        ({"last_rate": -0.1}, "Tickets.last_rate must be a share from 0 to below 1, got -0.1"),
        ({"scope": "block"}, "Tickets.scope must be layer or global, got 'block'"),
        ({"rewind": -1}, "Tickets.rewind must be a number of steps from 0, got -1"),
        ({"train": Train()}, "after the same number of steps, got keep=best"),
        ({"rewind": 5, "train": Train(keep="last", ema_decay=0.9)}, "hold on to those that are removed at step 5"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        Tickets(**changes)


def test_a_step_beyond_the_end_and_a_missing_net_are_refused():
    job, _ = ticket_job()
    with pytest.raises(ConfigError, match="has 10 steps, got rewind to step 10: choose an early step, for instance 1"):
        TrainTicket(rewind=10, train=QUICK).run(job)
    with pytest.raises(ConfigError, match=r"needs the net without a mask: set Job\.teacher"):
        TrainTicket(rewind=1, train=QUICK).run(dataclasses.replace(job, teacher=None))
