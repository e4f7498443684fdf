"""A function in a child process: what it patches, leaks or crashes ends with it."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def alone(
    work: Callable[..., dict[str, Any]], *args: Any, timeout_s: float = 600, context: str = "fork"
) -> dict[str, Any]:
    """`work(*args)` in a forked child, with its peak memory; `failure` says why there is no result.

    Args:
        context: how the child starts: "fork", or "forkserver" where the parent has threads.
    """
    start: Any = multiprocessing.get_context(context)
    ours, theirs = start.Pipe(duplex=False)
    child = start.Process(target=_answer, args=(work, args, theirs))
    child.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(timeout_s) else {"failure": f"took more than {timeout_s} s"}
    except EOFError:
        found = {"failure": "the process died"}
    if child.is_alive() and "failure" in found:
        child.kill()
    child.join()
    return found


def _answer(work: Callable[..., dict[str, Any]], args: tuple[Any, ...], pipe: Connection) -> None:
    warnings.simplefilter("ignore")  # libraries warn about their own calls
    gc.freeze()  # a full collection over what the parent imported takes a quarter of a second, at whoever's turn it is
    try:
        found = work(*args)
    except Exception as error:  # a failure is a result here
        found = {"failure": f"{type(error).__name__}: {error}"[:300]}
    found["process_peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send(found)
