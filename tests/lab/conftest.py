"""Findings of fast runs, made once for each worker of the tests."""

from functools import cache

import pytest

from edgewright.lab import Finding, experiment


@cache
def _found(name: str) -> Finding:
    return experiment(name).run(seed=0, fast=True)


@pytest.fixture
def find():
    """Name of an experiment -> the finding of its fast run with seed 0."""
    return _found
