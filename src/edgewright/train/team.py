"""Several processes that train one model: each learns from its share of every batch, and all take the same step.

Every process draws the same batches and keeps its own part of them, so that what is drawn does not depend on their
number. Gradients are summed once per step, over parts that are weighted by their images. torch's
`DistributedDataParallel` wraps the model, which a loss that looks inside of it (feature maps) cannot use; its gradients
are the same, and a test holds them together.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch import fx, multiprocessing, nn
from torch.multiprocessing.spawn import ProcessException

from ..errors import ConfigError, ModelError, first_line

WATCH_S = 1.0  # between two looks at whether the first process is there
PATIENCE_S = 300.0  # for another process to end, on a machine that may be busy


@dataclass(frozen=True, kw_only=True)
class Team:
    """Which of how many processes this one is. The first has the caller's progress and checkpoint."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, values: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch; sizes differ by one at most."""
        return values if self.size == 1 else values.tensor_split(self.size)[self.rank]

    def sum_gradients(self, net: nn.Module, loss: torch.Tensor) -> torch.Tensor:
        """Sum the gradients, in place, and the loss over all processes; the sum of the losses."""
        if self.size == 1:
            return loss
        slopes = [each.grad for each in net.parameters() if each.grad is not None]
        flat = torch.cat([loss.reshape(1).float(), *(slope.reshape(-1).float() for slope in slopes)])
        dist.all_reduce(flat)
        pieces = flat.split([1, *(slope.numel() for slope in slopes)])
        for slope, piece in zip(slopes, pieces[1:], strict=True):
            slope.copy_(piece.view_as(slope))
        return pieces[0].reshape(())

    def told(self, value: Callable[[], float], device: torch.device) -> float:
        """What `value` gives in the first process, in all of them; the others do not call it."""
        if self.size == 1:
            return value()
        shared = torch.tensor([value() if self.is_first else 0.0], dtype=torch.float64, device=device)
        dist.broadcast(shared, src=0)
        return float(shared)


ALONE = Team()


@contextmanager
def gathered(size: int, work: Callable[..., Any], args: tuple[Any, ...], device: torch.device) -> Iterator[Team]:
    """This process as the first of a team; the others run `work(team, *args)`, on copies of the arguments.

    Args:
        size: processes in all.
        work: a function of a module.
        args: what is sent to the others.
        device: where the model is. On "cuda" process number n takes accelerator number n.

    Raises:
        ConfigError: the arguments cannot be sent to another process, or there are fewer accelerators than processes.
        ModelError: another process ended with an error.
    """
    content, port, threads = _sent(size, (work, args), device), _free_port(), torch.get_num_threads()
    own_threads = max(1, threads // size)
    others = multiprocessing.start_processes(
        _join,
        (size, port, device.type, own_threads, content, os.getpid()),
        nprocs=size - 1,
        join=False,
        start_method="spawn",
    )
    try:
        torch.set_num_threads(own_threads)
        _open(0, size, port, device.type)
        yield Team(rank=0, size=size)
        others.join(timeout=PATIENCE_S)
    except (RuntimeError, ProcessException) as error:
        _raise_if_ended(others, size, error)
        raise
    finally:
        torch.set_num_threads(threads)
        if dist.is_initialized():
            dist.destroy_process_group()
        for process in others.processes:
            process.terminate()  # does nothing to one that has ended
            process.join()


def _join(index: int, size: int, port: int, kind: str, threads: int, content: bytes, first: int) -> None:
    """What another process does: join the team as number `index` + 1, and work until the end."""
    rank = index + 1
    Thread(target=_end_with, args=(first,), daemon=True).start()
    torch.set_num_threads(threads)
    _open(rank, size, port, kind)
    try:
        place = f"cuda:{rank}" if kind == "cuda" else "cpu"
        work, args = torch.load(io.BytesIO(content), weights_only=False, map_location=place)  # our own process's bytes
        work(Team(rank=rank, size=size), *args)
    finally:
        dist.destroy_process_group()


def _end_with(first: int) -> None:
    """Leave when the first process, which was killed then, is no longer the parent: nobody waits for this one."""
    while os.getppid() == first:
        time.sleep(WATCH_S)
    os._exit(1)


def _open(rank: int, size: int, port: int, kind: str) -> None:
    if kind == "cuda":
        torch.cuda.set_device(rank)
    store = dist.TCPStore("127.0.0.1", port, size, is_master=rank == 0)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", store=store, rank=rank, world_size=size)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sent(size: int, content: Any, device: torch.device) -> bytes:
    """The content in the form in which another process gets it."""
    if device.type == "cuda" and device.index:
        raise ConfigError(
            f"Train.processes={size} take the accelerators number 0 to {size - 1}, got {device}: name it cuda."
        )
    if device.type == "cuda" and torch.cuda.device_count() < size:
        raise ConfigError(
            f"Train.processes={size} takes an accelerator each, and there are {torch.cuda.device_count()}: use as many."
        )
    buffer = io.BytesIO()
    try:
        torch.save(content, buffer, pickle_module=SimpleNamespace(Pickler=_Pickler, __name__="pickle"))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"What is trained cannot be sent to other processes ({first_line(error)}): define its loss, task and hooks "
            "at the top of a module, or use one process."
        ) from error
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Keeps the names of a graph's nodes and its notes, which torch's way of pickling a graph module does not.

    Layouts of memory, which torch 2.15 cannot pickle at all, go by their names.
    """

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.memory_format):
            return _layout, (str(value).removeprefix("torch."),)
        if not isinstance(value, fx.GraphModule):
            return NotImplemented
        build, parts = value.__reduce__()
        return _named, (build, parts, [node.name for node in value.graph.nodes], dict(value.meta))


def _layout(name: str) -> torch.memory_format:
    return getattr(torch, name)  # type: ignore[no-any-return]


def _named(build: Callable[..., fx.GraphModule], parts: Any, names: list[str], notes: dict[str, Any]) -> fx.GraphModule:
    net = build(*parts)
    for node, name in zip(net.graph.nodes, names, strict=True):
        node.name = name
    net.recompile()
    net.meta.update(notes)
    return net


def _raise_if_ended(others: multiprocessing.ProcessContext, size: int, error: Exception) -> None:
    """Name the error of another process, which is why this one lost its connection."""
    try:
        others.join(timeout=PATIENCE_S if isinstance(error, RuntimeError) else 0)
    except ProcessException as theirs:
        reason = str(theirs).strip().splitlines()[-1]
        raise ModelError(f"Another of the {size} processes ended ({reason}): run again, or use one process.") from error


__all__ = ["ALONE", "Team", "gathered"]
