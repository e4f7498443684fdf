"""Kernels for the vectors of a Cortex-M55."""

from __future__ import annotations

from collections.abc import Callable

from .scene import Call, Scene

KERNELS: dict[str, Callable[[Scene, Call], Call | None]] = {}
