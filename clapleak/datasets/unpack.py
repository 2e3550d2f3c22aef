"""Archives of the corpora: zip, zip in several volumes and 7z, checked before anything is written."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import zipfile
from bisect import bisect_right
from collections.abc import Collection
from itertools import accumulate
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

from clapleak.config import ClapleakError

WIDE = 0xFFFFFFFF  # in a 32-bit field of a zip: the number stands in a 64-bit one
PLAIN = (None, 0, stat.S_IFREG, stat.S_IFDIR)  # kinds of member that may be written


def unpack(volumes: list[Path], inside: str, target: Path, wanted: Collection[str] | None = None) -> int:
    """Unpack the folder `inside` of an archive as `target`; returns the number of files.

    `volumes` is the archive, or its parts in order (`.z01`, `.z02`, ..., `.zip`); `wanted` limits the files to
    these names. All goes to a temporary folder first: a new `target` appears whole, files join an existing one
    whole. ClapleakError: a member leads out of the folder, is a link or a device; no room; no such folder; damage.
    """
    archive, temporary = volumes[-1], target.with_name(f".{target.name}.unpacking")
    files = [path.open("rb") for path in volumes]
    try:
        extract, members = _open(archive.suffix, files)
        for name, kind, _ in members:
            path = PurePosixPath(name.replace("\\", "/"))
            if kind not in PLAIN or path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
                raise ClapleakError(f"{archive}: unsafe member '{name}' (a link, or outside); nothing was unpacked")
        chosen = {
            n: size
            for n, kind, size in members
            if n.startswith(f"{inside}/") and not (kind == stat.S_IFDIR or n.endswith("/"))
        }
        if not chosen:
            raise ClapleakError(f"{archive}: holds no files in {inside}/; nothing was unpacked")
        if wanted is not None:
            chosen = {n: size for n, size in chosen.items() if PurePosixPath(n).name in wanted}
        check_room(target, sum(chosen.values()), f"unpacking {archive.name}")
        shutil.rmtree(temporary, ignore_errors=True)  # left by a killed run
        (temporary / inside).mkdir(parents=True)
        extract(temporary, list(chosen))
        if target.exists():
            for name in chosen:
                place = target / PurePosixPath(name).relative_to(inside)
                place.parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).replace(place)
        else:
            (temporary / inside).rename(target)
        return len(chosen)
    except (ClapleakError, OSError):
        raise
    except Exception as error:  # the archive libraries raise a dozen kinds, all of which mean damage
        raise ClapleakError(f"{archive}: damaged ({error!r}); delete it and fetch again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for file in files:
            file.close()


def check_room(place: Path, needed: int, what: str) -> None:
    """ClapleakError unless `place`, which need not exist yet, can be written and its disk has `needed` bytes free."""
    place = next(folder for folder in (place, *place.parents) if folder.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise ClapleakError(f"{place}: not a folder that can be written; name another one")
    if needed > (free := shutil.disk_usage(place).free):
        short = f"needs {needed / 1e9:.3f} GB, {free / 1e9:.3f} GB are free"
        raise ClapleakError(f"{place}: {what} {short}; free some or name another disk")


def _open(suffix: str, files: list[BinaryIO]) -> tuple[Any, list[tuple[str, int | None, int]]]:
    """What extracts named members into a folder, and each member's name, kind (as in `stat`) and bytes."""
    if suffix == ".7z":
        import py7zr

        seven = py7zr.SevenZipFile(files[0])
        seven.max_extract_size = seven.archiveinfo().uncompressed  # members that lie about their size end there
        kinds = [stat.S_IFLNK if m.is_symlink else stat.S_IFDIR if m.is_directory else m.st_fmt for m in seven.files]
        return seven.extract, [(m.filename, kind, m.uncompressed) for m, kind in zip(seven.files, kinds, strict=True)]
    whole = zipfile.ZipFile(files[0] if len(files) == 1 else join_volumes(files))
    return whole.extractall, [
        (m.filename, stat.S_IFMT(m.external_attr >> 16) or stat.S_IFDIR * m.is_dir(), m.file_size)
        for m in whole.infolist()
    ]


class _Joined(io.RawIOBase):
    """Files read one after the other as one."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts, self.at = parts, 0
        self.starts = [0, *accumulate(part.seek(0, os.SEEK_END) for part in parts)]

    def readable(self) -> bool:
        return True

    seekable = readable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = offset + (0, self.at, self.starts[-1])[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:
        number = bisect_right(self.starts, self.at) - 1
        if number == len(self.parts):
            return 0
        self.parts[number].seek(self.at - self.starts[number])
        count = self.parts[number].readinto(buffer)  # stops at the end of the part
        self.at += count
        return count


def join_volumes(volumes: list[BinaryIO]) -> BinaryIO:
    """A zip in several volumes read as one ordinary archive; nothing is written.

    Its directory names the volume of each member and the place in that volume (PKWARE APPNOTE 4.3.12 to 4.5.3). A
    directory with places in the joined file, in 64-bit form, is put behind the last volume, where readers look.
    """
    whole = io.BufferedReader(raw := _Joined(volumes))
    starts = raw.starts
    whole.seek(max(0, starts[-1] - 66_000))  # the longest end record and what stands before it
    tail = whole.read()
    end = tail.rindex(b"PK\5\6")
    last, cd_volume, count, size, place = struct.unpack("<2H2x H2L", tail[end + 4 : end + 20])
    if tail[max(0, end - 20) : end].startswith(b"PK\6\7"):
        volume, place, total = struct.unpack("<LQL", tail[end - 16 : end])
        whole.seek(starts[volume] + place)
        last, (cd_volume, count, size, place) = total - 1, struct.unpack("<20xL8x3Q", whole.read(56))
    if last + 1 != len(volumes):
        raise zipfile.BadZipFile(f"{last + 1} volumes expected, {len(volumes)} found")
    whole.seek(starts[cd_volume] + place)
    old, entries, at = whole.read(size), [], 0
    for _ in range(count):
        packed, full, n_name, n_extra, n_comment, volume, place = struct.unpack_from("<20x2L4H6xL", old, at)
        extra_at, wide = at + 46 + n_name, b""
        while extra_at + 4 <= at + 46 + n_name + n_extra:  # blocks of kind, length, content; kind 1 is the 64-bit one
            kind, length = struct.unpack_from("<2H", old, extra_at)
            wide = old[extra_at + 4 : extra_at + 4 + length] if kind == 1 else wide
            extra_at += 4 + length
        sizes = wide[: 8 * ((packed == WIDE) + (full == WIDE))]
        if place == WIDE:
            (place,) = struct.unpack_from("<Q", wide, len(sizes))
        wide = struct.pack("<2H", 1, len(sizes) + 8) + sizes + struct.pack("<Q", starts[volume] + place)
        head = (
            old[at : at + 30] + struct.pack("<3H", len(wide), 0, 0) + old[at + 36 : at + 42] + struct.pack("<L", WIDE)
        )
        entries.append(head + old[at + 46 : at + 46 + n_name] + wide)
        at += 46 + n_name + n_extra + n_comment
    directory = b"".join(entries)
    start, size = starts[-1], len(directory)
    directory += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    directory += struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    directory += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, WIDE, WIDE, 0)
    return io.BufferedReader(_Joined([*volumes, io.BytesIO(directory)]))
