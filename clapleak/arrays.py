"""Arrays kept on disk by key, so that clips are decoded and captions embedded once (LMDB, memory-mapped).

What was put is there whole or not at all, however a process ends; several processes read while one writes.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np

from clapleak.files import ClapleakError, locked, say


def array_key(*parts: object) -> bytes:
    """16 bytes that follow from the parts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


_WASTE = 10_000  # arrays: fewer may well be those of another profile
_OPENED: dict[Path, tuple] = {}  # process, file, database; LMDB: a process opens one once, and not before a fork
_DAMAGE = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError)


@dataclass(frozen=True)
class ArrayStore:
    """One-dimensional arrays of one type, each with a short note, in the folder `path`."""

    path: Path
    dtype: type

    def _database(self) -> lmdb.Environment:
        file, (*opened, database) = self.path / "data.mdb", _OPENED.get(self.path, (0, 0, None))
        if file.exists() and opened == [os.getpid(), file.stat().st_ino]:
            return database
        if database is not None:  # from before a fork, or removed since by any process
            database.close()
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            database = lmdb.open(str(self.path), max_readers=1024)  # maps what is there; `put` makes room
            _OPENED[self.path] = os.getpid(), file.stat().st_ino, database
            if (database.info()["last_pgno"] + 1) * database.stat()["psize"] <= file.stat().st_size:
                return database
        except _DAMAGE:
            pass
        except lmdb.Error as error:
            raise ClapleakError(f"{self.path}: cannot be opened ({error}); give another one or mend it") from error
        say(f"{self.path}: damaged; what it held is made again")
        shutil.rmtree(self.path)
        return self._database()

    @contextmanager
    def _transaction(self, **options) -> Iterator[lmdb.Transaction]:
        try:
            try:
                records = self._database().begin(**options)
            except lmdb.MapResizedError:  # another process made room for more
                self._database().set_mapsize(0)
                records = self._database().begin(**options)
            with records:
                yield records
        except _DAMAGE as error:
            self.clear()
            remedy = "what it held was deleted; the same command makes it again"
            raise ClapleakError(f"{self.path}: damaged in the middle; {remedy}") from error

    def clear(self) -> None:
        """Remove everything."""
        self._database().close()
        shutil.rmtree(self.path)

    def __len__(self) -> int:
        with self._transaction() as records:
            return records.stat()["entries"] // 2  # an array and its note

    def notes(self, keys: Iterable[bytes]) -> list[str | None]:
        """The note of each key; None where nothing was put."""
        with self._transaction() as records:
            return [None if (note := records.get(b"n" + key)) is None else note.decode() for key in keys]

    @contextmanager
    def lacking(self, keys: list[bytes]) -> Iterator[list[int]]:
        """Numbers of the keys under which nothing was put; others who ask wait until the block has ended.

        Where most of what lies there is of no use to these keys, and much, all of it is removed first.
        """
        with locked(self.path.with_suffix(".lock")) if None in self.notes(keys) else nullcontext():
            missing = [i for i, note in enumerate(self.notes(keys)) if note is None]
            if missing and len(self) > 2 * len(keys) + _WASTE:
                self.clear()
                missing = list(range(len(keys)))
            yield missing

    def put(self, items: Iterable[tuple[bytes, np.ndarray, str]]) -> None:
        """Keep some arrays with their keys and notes, all or none. ClapleakError where the disk is full."""
        items = list(items)
        try:
            with self._transaction(write=True) as records:
                for key, array, note in items:
                    records.put(b"a" + key, np.ascontiguousarray(array, self.dtype).tobytes())
                    records.put(b"n" + key, note.encode())
        except lmdb.MapFullError:
            self._database().set_mapsize(2 * self._database().info()["map_size"])
            self.put(items)
        except lmdb.Error as error:
            raise ClapleakError(f"{self.path}: {error}; free some space and give the same command again") from error

    @contextmanager
    def reading(self) -> Iterator[Callable[[bytes], np.ndarray]]:
        """A function from key to array, (n,), a view that ends with the block; ClapleakError where it was removed."""
        with self._transaction(buffers=True) as records:

            def array(key: bytes) -> np.ndarray:
                if (values := records.get(b"a" + key)) is None:
                    raise ClapleakError(f"{self.path}: emptied by another process; give the same command again")
                return np.frombuffer(values, self.dtype)

            yield array
