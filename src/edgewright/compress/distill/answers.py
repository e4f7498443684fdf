"""Teachers that give answers only: a file in its runtime, and answers that are kept on disk.

A kept answer is found by the hash of the very pixels that the teacher saw, so it is never a wrong one, whatever the
order and the augmentation:

    images as they are      one answer an image, made once for the whole train split; every later epoch finds them
    augmented images        one entry a batch; only another training that draws the same batches finds it: the same
                            data, seed and settings of the training, with another kind, temperature or student
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from torch import nn

from ...data import Data
from ...errors import ConfigError
from ...train import fastest_layout

Answer = Callable[[torch.Tensor], torch.Tensor]
HEAD = struct.Struct("<16sII")  # hash of the pixels, rows, classes; float32 values follow
CHUNK = 250  # images that the answers of a split are made of at a time
MOST_MB = 512
SUFFIX = ".answers"


class Frozen(nn.Module):
    """A teacher that is nothing but a function, such as an ONNX file in ONNX Runtime. It has no feature maps.

    Args:
        answer: from float32 (B, C, H, W) on the CPU to logits (B, K).
        identity: a text that tells it from all other teachers, for instance the hash of the file.
    """

    def __init__(self, answer: Answer, *, identity: str) -> None:
        super().__init__()
        self._answer, self.identity = answer, identity

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self._answer(inputs.cpu().contiguous()).float().to(inputs.device)

    def __deepcopy__(self, memo: object) -> Frozen:
        return self  # there is nothing in it that could change, and a runtime's session cannot be copied


class KeptAnswers(nn.Module):
    """A teacher whose answers are kept in a folder, for a teacher that is slower than reading them.

    Args:
        teacher: the model; it is asked in eval mode where there is no answer yet.
        identity: a text that tells it from all other teachers.
        folder: where answers are kept; those of other teachers in it are left alone.
        whole_split: images come as they are: make the answers of this train split beforehand, in one order, so that
            they do not depend on the batches that ask for them. None keeps those of whole batches as they come.
        most_mb: nothing more is kept when the folder holds so much.

    Raises:
        ConfigError: the folder cannot be written.
    """

    def __init__(
        self, teacher: nn.Module, *, identity: str, folder: Path, whole_split: Data | None, most_mb: float = MOST_MB
    ) -> None:
        super().__init__()
        self.identity, self.folder, self.whole_split = identity, Path(folder), whole_split
        self.num_found = self.num_asked = 0  # images
        self._teacher = [teacher]  # a list: it is no part of this module, which has nothing to train
        self._asked: tuple[nn.Module, torch.memory_format] | None = None
        self._most_bytes = int(most_mb * 2**20)
        self._stores: dict[str, _Store] = {}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        images = inputs.contiguous()
        store = self._store(images.device.type)
        found = _gathered(store, images) if self.whole_split is not None else store.get(_digest(images))
        if found is not None:
            self.num_found += len(images)
            return found.to(inputs.device)
        self.num_asked += len(images)
        answers = self._ask(images)
        if self.whole_split is None:
            store.put([(_digest(images), answers)])
        return answers

    def __deepcopy__(self, memo: object) -> KeptAnswers:
        return self  # one memory, whoever asks

    def _ask(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """The same bits as of a teacher that is asked without this memory."""
        if self._asked is None:
            frozen = hasattr(self._teacher[0], "identity")
            plain = (self._teacher[0], torch.contiguous_format)
            self._asked = plain if frozen else fastest_layout(self._teacher[0], tuple(images_BCHW.shape[1:]))
            self._asked[0].eval()
        net, layout = self._asked
        with torch.no_grad():
            return net.to(images_BCHW.device)(images_BCHW.contiguous(memory_format=layout)).float()  # type: ignore[no-any-return]

    def _store(self, device: str) -> _Store:
        """The answers in the precision that is asked for: layers in bfloat16 answer otherwise than in float32."""
        half = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        dtype = str(half).removeprefix("torch.")
        if dtype not in self._stores:
            per = "batch" if self.whole_split is None else "image"
            self._stores[dtype] = _Store(self.folder, f"{self.identity}-{dtype}-{per}", self._most_bytes)
            if self.whole_split is not None:
                self._make_all(self._stores[dtype], self.whole_split)
        return self._stores[dtype]

    def _make_all(self, store: _Store, data: Data) -> None:
        """One answer for each image of the train split, made in its order and always in the same chunks."""
        for images, _ in data.batches("train", batch_size=CHUNK):
            digests = [_digest(image) for image in images]
            if any(store.get(digest) is None for digest in digests):
                self.num_asked += len(images)
                store.put(zip(digests, self._ask(images).split(1), strict=True))


class _Store:
    """Hash -> answers, in memory and in files that are only ever added to. A file that a kill cut short ends early."""

    def __init__(self, folder: Path, name: str, most_bytes: int) -> None:
        self._folder, self._name = folder, name
        self._file: Path | None = None  # of this process alone: others may write beside it
        self._known: dict[bytes, torch.Tensor] = {}
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob(f"{name}.*{SUFFIX}")):
                with path.open("rb") as stream:
                    self._known.update(_records(stream))
            self._left = most_bytes - sum(path.stat().st_size for path in folder.glob(f"*{SUFFIX}"))

    def get(self, digest: bytes) -> torch.Tensor | None:
        return self._known.get(digest)

    def put(self, answers: Iterable[tuple[bytes, torch.Tensor]]) -> None:
        """Keep (hash, (B, K)) as far as there is room."""
        records = []
        for digest, answers_BK in answers:
            record = HEAD.pack(digest, *answers_BK.shape) + answers_BK.cpu().contiguous().numpy().tobytes()
            if digest not in self._known and len(record) <= self._left:
                self._left -= len(record)
                self._known[digest] = answers_BK.cpu()
                records.append(record)
        with _told(self._folder):
            if self._file is None:
                handle, path = tempfile.mkstemp(dir=self._folder, prefix=f"{self._name}.", suffix=SUFFIX)
                os.close(handle)
                self._file = Path(path)
            with self._file.open("ab") as stream:
                stream.write(b"".join(records))


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """A folder that cannot be used is the user's to change."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Answers cannot be kept in {folder} ({error.strerror}): choose another folder with --keep-answers."
        ) from error


def _records(stream: BinaryIO) -> Iterator[tuple[bytes, torch.Tensor]]:
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        digest, rows, classes = HEAD.unpack(head)
        values = bytearray(stream.read(4 * rows * classes))
        if len(values) < 4 * rows * classes:
            return
        yield digest, torch.frombuffer(values, dtype=torch.float32).reshape(rows, classes)


def _gathered(store: _Store, images_BCHW: torch.Tensor) -> torch.Tensor | None:
    """The answer to each image; None where one of them has none."""
    found = [store.get(_digest(image)) for image in images_BCHW]
    return torch.cat(found) if all(each is not None for each in found) else None  # type: ignore[arg-type]


def _digest(values: torch.Tensor) -> bytes:
    return hashlib.blake2b(values.cpu().contiguous().numpy().data, digest_size=16).digest()
