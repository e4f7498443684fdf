"""Times that can be compared on a busy machine: processor time on one thread, calls in turn, the least of several."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch


def fastest_times(calls: Mapping[str, Callable[[], object]], *, repeats: int = 7) -> dict[str, float]:
    """Least seconds of processor time of each call.

    Other processes take time from all of them alike, which is why the calls alternate and the least counts; the first
    round warms up. PyTorch works on one thread meanwhile.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            rounds = [{name: _seconds(call) for name, call in calls.items()} for _ in range(repeats + 1)]
    finally:
        torch.set_num_threads(threads)
    return {name: min(each[name] for each in rounds[1:]) for name in calls}


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time_ns()
    call()
    return (time.process_time_ns() - start) / 1e9
