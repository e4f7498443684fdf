"""Shared fixtures: one thread, no hypothesis deadline, and the external test data where there is any."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("edgewright", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("edgewright")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests share few cores: threads of torch would only wait for each other, and make sums depend on their number."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    """What a test does to torch's global generator ends with the test."""
    import torch

    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of external test data, named by EDGEWRIGHT_TEST_DATA."""
    folder = os.environ.get("EDGEWRIGHT_TEST_DATA")
    if not folder:
        pytest.skip("EDGEWRIGHT_TEST_DATA does not name a folder with the external test data")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"EDGEWRIGHT_TEST_DATA={folder} is not a folder")
    return path
