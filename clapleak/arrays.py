"""Arrays kept on disk by key, so that clips are decoded and captions embedded once (LMDB, memory-mapped).

What was put is there whole or not at all, however a process ends; several processes read while one writes.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np

from clapleak.config import ClapleakError
from clapleak.files import say


def array_key(*parts: object) -> bytes:
    """16 bytes that follow from the parts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


_OPENED: dict[Path, tuple[int, lmdb.Environment]] = {}  # LMDB: a process opens a database once, and not before a fork


@dataclass(frozen=True)
class ArrayStore:
    """One-dimensional arrays of one type, each with a short note, in the folder `path`."""

    path: Path
    dtype: type

    def _database(self) -> lmdb.Environment:
        file, (process, database) = self.path / "data.mdb", _OPENED.get(self.path, (0, None))
        if process == os.getpid() and file.exists():
            return database
        if database is not None:  # from before a fork, or removed since
            database.close()
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            database = lmdb.open(str(self.path), map_size=2**42, max_readers=1024)  # bytes of address space alone
            _OPENED[self.path] = os.getpid(), database
            if (database.info()["last_pgno"] + 1) * database.stat()["psize"] <= file.stat().st_size:
                return database
        except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError):
            pass
        say(f"{self.path}: damaged; what it held is made again")
        shutil.rmtree(self.path)
        return self._database()

    def clear(self) -> None:
        """Remove everything."""
        self._database().close()
        shutil.rmtree(self.path)

    def __len__(self) -> int:
        return self._database().stat()["entries"] // 2  # an array and its note

    def notes(self, keys: Iterable[bytes]) -> list[str | None]:
        """The note of each key; None where nothing was put."""
        with self._database().begin() as records:
            return [None if (note := records.get(b"n" + key)) is None else note.decode() for key in keys]

    def put(self, items: Iterable[tuple[bytes, np.ndarray, str]]) -> None:
        """Keep some arrays with their keys and notes, all or none. ClapleakError where the disk is full."""
        try:
            with self._database().begin(write=True) as records:
                for key, array, note in items:
                    records.put(b"a" + key, np.ascontiguousarray(array, self.dtype).tobytes())
                    records.put(b"n" + key, note.encode())
        except lmdb.Error as error:
            raise ClapleakError(f"{self.path}: {error}; free some space and give the same command again") from error

    @contextmanager
    def reading(self) -> Iterator[Callable[[bytes], np.ndarray]]:
        """A function from key to array, (n,); the arrays are views that end with the block."""
        with self._database().begin(buffers=True) as records:
            yield lambda key: np.frombuffer(records.get(b"a" + key), self.dtype)
