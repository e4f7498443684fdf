"""The training loop on one page.

    each epoch: learn from every batch of train -> score on val -> keep the best weights -> checkpoint

Shuffling, augmentation and dropout draw from generators named by purpose and epoch, and the checkpoint, after an epoch
or in the middle of one, is written in one step, so a run that is killed at any instant and started again ends with the
same bits as one that was not (on the same machine, with the same number of threads; some kernels of GPUs add up in
another order each time).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from ..data import Data
from ..errors import ConfigError, ModelError
from ..files import content_key
from ..progress import SILENT, Progress
from ..seeding import torch_generator
from ..tasks import device_of, evaluate
from ..types import Task, deciding, plain
from .augment import augmentation
from .draws import Draws, random_layers
from .dropout import begin_dropout
from .freezing import begin_frozen, hold_frozen
from .layout import fastest_layout
from .mixing import Mixing
from .optimizers import end_epoch, optimizer_of
from .plan import Loss, Plan, TaskLoss, learning_device
from .rates import lr_at, set_lr
from .saver import Saver
from .split import Recomputed
from .state import Average, Epoch, Position, Training, load_checkpoint, weights_digest, weights_of
from .step import after_step, take_step
from .sync_norm import synchronized
from .tally import Tally
from .team import Team, gathered
from .teller import Teller
from .zeros import zeros_of

if TYPE_CHECKING:
    from .settings import Train


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainOutcome:
    """`net` holds the weights that are kept, in eval mode, those of `best_epoch`; 0 means those it came with."""

    net: nn.Module
    history: tuple[Epoch, ...]
    best_epoch: int
    score_before: float


def train_weights(
    net: nn.Module,
    *,
    task: Task,
    data: Data,
    settings: Train,
    seed: int,
    checkpoint: Path | None = None,
    loss: Loss | None = None,
    before_epoch: Callable[[nn.Module, int], None] | None = None,
    after_step: Callable[[nn.Module, int], None] | None = None,
    accelerator: str | None = None,
    progress: Progress = SILENT,
) -> TrainOutcome:
    """A trained copy of `net`.

    Args:
        net: any module that takes float32 (B, C, H, W) as `data` gives it; left as it is. The copy comes back on the
            device where its parameters are.
        task: gives the loss and the score.
        data: learns from "train", scores on "val".
        settings: how.
        seed: of shuffling, augmentation and dropout.
        checkpoint: folder for the state after each epoch, and more often if the settings say so; a run found there
            under the same settings is continued.
        loss: replaces the task's loss, for instance to imitate a teacher. An attribute `name` on it, where there is
            one, tells its checkpoints from those of other losses.
        before_epoch: called with the copy that is trained and the number of the epoch (from 1) that begins or is gone
            on with, for instance to freeze a part; what it does must follow from the number alone, or a continued run
            differs.
        after_step: called with the copy that is trained and the number of the step over the whole run (from 1) when
            its weights have been updated and their gradients are still there, for instance to remove weights; what it
            does must follow from the number, the weights and the gradients.
        accelerator: PyTorch device to learn and score on; None and "cpu" are where the parameters are.
        progress: told loss, score, learning rate and speed.

    Raises:
        ModelError: nothing to train, a loss that is not finite, or outputs that do not suit the task.
    """
    plan = Plan(
        task=task,
        data=data,
        settings=settings,
        seed=seed,
        loss=loss or TaskLoss(task),
        before_epoch=before_epoch,
        after_step=after_step,
        zeros=zeros_of(net) if settings.keep_zeros else {},
        num_steps=data.num_batches("train", batch_size=settings.batch_size, num_images=settings.epoch_images),
        device=learning_device(net, accelerator),
    )
    key = _key(net, plan, loss)
    found = _found(checkpoint, key, progress)
    saver = Saver(checkpoint, key, settings)
    if settings.processes == 1:
        return _learn(net, plan, found, saver=saver, progress=progress)
    _check_shares(plan)
    with gathered(settings.processes, _follow, (net, plan, found), plan.device) as team:
        return _learn(net, replace(plan, team=team), found, saver=saver, progress=progress)


def _learn(
    net: nn.Module, plan: Plan, found: dict[str, Any] | None, *, saver: Saver, progress: Progress
) -> TrainOutcome:
    """The run from where `found` was written, or from the start."""
    state, settings = _begin(net, plan), plan.settings
    if found is not None:
        state.restore(found)
    left = (settings.epochs - len(state.history)) * plan.num_steps - state.num_batches
    with progress.task("Train", total=left) as bar:
        teller = Teller(bar, progress, state, plan)
        while not _is_finished(state, settings):
            if plan.before_epoch is not None:
                plan.before_epoch(state.net, len(state.history) + 1)
            loss_of_epoch, lr = _train_epoch(state, plan, saver, teller)
            score = _score(state.judged, plan)
            state.record(Epoch(number=len(state.history) + 1, loss=loss_of_epoch, score=score, lr=lr))
            if note := end_epoch(state.optimizer, number=len(state.history), score=score):
                progress.note(note)
            teller.scored()
            saver.save(state)
    trained = copy.deepcopy(net).eval()
    trained.load_state_dict(state.best)
    history = tuple(state.history)
    return TrainOutcome(net=trained, history=history, best_epoch=state.best_epoch, score_before=state.score_before)


def _follow(team: Team, net: nn.Module, plan: Plan, found: dict[str, Any] | None) -> None:
    """What all processes of a team but the first do: the same run, without a word and without files."""
    _learn(net, replace(plan, team=team), found, saver=Saver(None, "", plan.settings), progress=SILENT)


def _score(net: nn.Module, plan: Plan) -> float:
    """The score on val, which one process of a team finds out for all."""
    return plan.team.told(lambda: evaluate(net, plan.task, plan.data, "val").value, device_of(net))


def _train_epoch(state: Training, plan: Plan, saver: Saver, teller: Teller) -> tuple[float, float]:
    """Learn from every batch that is left of the epoch; the mean loss per image and the last learning rate."""
    number, device = len(state.history) + 1, device_of(state.net)
    tally, lr = Tally(device), 0.0
    state.net.train()
    hold_frozen(state.net, state.optimizer, plan.settings, epoch=number)
    with random_layers(plan.seed, number, device):
        draws = Draws(plan.seed, number, device)
        done = _resume_epoch(state, tally, draws)
        for inputs, targets in _batches(plan, number, draws, start=done):
            step = (number - 1) * plan.num_steps + done
            lr = lr_at(plan.settings, step=step, steps_per_epoch=plan.num_steps)
            set_lr(state.optimizer, lr)
            if plan.team.size > 1:
                draws.begin_step(number, done, plan.team.rank)
            broken = tally.add(take_step(state, plan, inputs, targets), len(targets))
            after_step(state, plan, step + 1)
            _raise_if_diverged(broken, plan.settings, number)
            done += 1
            if done < plan.num_steps and saver.is_due(step + 1):
                _raise_if_diverged(tally.look(), plan.settings, number)
                state.position = Position(num_batches=done, tally=tally.as_plain(), draws=draws.states())
                saver.save(state)
            teller.step(tally.mean, lr, num_images=len(targets), number=step + 1)
    _raise_if_diverged(tally.look(), plan.settings, number)
    state.position = None
    return tally.mean, lr


def _resume_epoch(state: Training, tally: Tally, draws: Draws) -> int:
    """Go on where a checkpoint was written in the middle of this epoch; the number of batches that are done."""
    if state.position is None:
        return 0
    tally.restore(state.position.tally)
    draws.restore(state.position.draws)
    return state.position.num_batches


def _batches(plan: Plan, number: int, draws: Draws, *, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The augmented batches of epoch `number` from number `start` (from 0) on."""
    batches = plan.data.batches(
        "train",
        batch_size=plan.settings.batch_size,
        generator=torch_generator(plan.seed, "train.shuffle", number),
        augment=augmentation(plan.settings.augment, draws.augment),
        num_images=plan.settings.epoch_images,
        start=start,
    )
    mixing = Mixing(plan.settings, num_classes=plan.data.num_classes, seed=plan.seed)
    for position, (inputs, targets) in enumerate(batches, start=start):
        yield mixing(inputs, targets, epoch=number, batch=position)


def _begin(net: nn.Module, plan: Plan) -> Training:
    """Epoch 0: a copy of the model, scored as it came."""
    copied, layout = fastest_layout(net, plan.data.preprocess.shape)
    settings, copied = plan.settings, copied.to(plan.device)
    if plan.team.size > 1:
        copied = synchronized(copied, plan.device)
    begin_frozen(copied, settings)
    begin_dropout(copied, settings.dropout)
    return Training(
        net=copied,
        layout=layout,
        optimizer=optimizer_of(copied, settings),
        average=None if settings.ema_decay is None else Average(copied, settings.ema_decay),
        score_before=_score(copied, plan),
        best=weights_of(copied),
        keep_last=settings.keep == "last",
        min_delta=settings.min_delta,
        view=recomputed(copied, plan) if settings.checkpointing else None,
        scaler=torch.amp.GradScaler(plan.device.type) if settings.dtype == "float16" else None,
    )


def recomputed(net: nn.Module, plan: Plan) -> nn.Module:
    """A view of `net` that computes its activations twice.

    Raises:
        ConfigError: the model is not captured, or the loss is not the task's own.
    """
    if not isinstance(net, fx.GraphModule) or not isinstance(plan.loss, TaskLoss):
        raise ConfigError(
            "Train.checkpointing works on captured models and the task's own loss, not on one that may look inside of "
            "the model: leave it out, or use accumulate to save memory."
        )
    return Recomputed(net)


def _found(checkpoint: Path | None, key: str, progress: Progress) -> dict[str, Any] | None:
    """The state that an earlier run left under the same key."""
    found, reason = load_checkpoint(checkpoint, key)
    if reason:
        progress.note(f"{reason}: training starts anew.")
    return found


def _check_shares(plan: Plan) -> None:
    """Refuse a last batch that leaves a process without an image."""
    settings, visits = plan.settings, len(plan.data.split("train").visits())
    visits = min(visits, settings.epoch_images or visits)
    left = visits % settings.batch_size
    if 1 < left < settings.processes or (left == 1 and visits == 1):  # a lone last image joins the batch before it
        raise ConfigError(
            f"The last batch of an epoch has {left} images for {settings.processes} processes: choose another "
            f"batch_size than {settings.batch_size}, or set epoch_images."
        )


def _is_finished(state: Training, settings: Train) -> bool:
    out_of_patience = settings.patience is not None and state.epochs_without_gain >= settings.patience
    return len(state.history) >= settings.epochs or out_of_patience


def _raise_if_diverged(broken: tuple[int, float] | None, settings: Train, epoch: int) -> None:
    """`broken`: step and value of a loss that is not finite."""
    if broken is not None:
        step, value = broken
        remedy = f"use a smaller lr than {settings.lr:g}" + ("" if settings.clip_norm else " or set clip_norm")
        raise ModelError(f"The training loss became {value} at epoch {epoch}, step {step}: {remedy}.")


def _key(net: nn.Module, plan: Plan, loss: Loss | None) -> str:
    """The hash of all that decides the result."""
    data = [plan.data.fingerprint, plain(plan.data.preprocess)]
    task: list[Any] = [type(plan.task).__name__, plain(plan.task)]
    settings = deciding(plan.settings)
    return content_key(weights_digest(net), task, data, settings, plan.seed, str(getattr(loss, "name", "")))
