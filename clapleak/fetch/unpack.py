"""Archives of the corpora: zip, zip in several volumes and 7z. Nothing comes to its place before all is checked."""

import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import py7zr
from stream_unzip import stream_unzip

from clapleak.config import ClapleakError

PLAIN = (None, 0, stat.S_IFREG, stat.S_IFDIR)  # kinds of member that may be written
_BLOCK = 1 << 20  # bytes read at once
Choose = Callable[[list[tuple[str, int | None, int]]], list[str]]  # (name, kind as in `stat`, bytes) -> names to write


def unpack(volumes: list[Path], inside: str, target: Path, wanted: Collection[str] | None = None) -> int:
    """Unpack one folder of an archive, through a temporary folder, and give the number of files.

    Parameters
    ----------
    volumes : the archive, or its parts in order (`.z01`, `.z02`, ..., `.zip`)
    inside, target : folder in the archive, and what it becomes: it appears whole, or its files join an existing one
    wanted : names of the files to take; all by default

    ClapleakError where a member leads out of the folder or is a link or a device, and for damage or lack of room.
    """
    archive, temporary = volumes[-1], target.with_name(f".{target.name}.unpacking")
    held, chosen = [], []  # names of the files in the folder, and of those to take

    def choose(members: list[tuple[str, int | None, int]]) -> list[str]:
        for name, kind, _ in members:
            path = PurePosixPath(name.replace("\\", "/"))
            if kind not in PLAIN or path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
                raise ClapleakError(f"{archive}: unsafe member '{name}' (a link, or outside); nothing was unpacked")
        files = [member for member in members if member[1] != stat.S_IFDIR and not member[0].endswith("/")]
        sizes = {name: size for name, _, size in files if name.startswith(f"{inside}/")}
        names = [name for name in sizes if wanted is None or PurePosixPath(name).name in wanted]
        check_room(target, sum(sizes[name] for name in names), f"unpacking {archive.name}")
        held.extend(sizes)
        chosen.extend(names)
        return names

    try:
        shutil.rmtree(temporary, ignore_errors=True)  # left by a killed run
        (temporary / inside).mkdir(parents=True)
        write = _unpack_volumes if len(volumes) > 1 else _unpack_7z if archive.suffix == ".7z" else _unpack_zip
        write(volumes, temporary, choose)
        if not held:
            raise ClapleakError(f"{archive}: holds no files in {inside}/; nothing was unpacked")
        if not target.exists():
            (temporary / inside).rename(target)
            return len(chosen)
        for name in chosen:
            place = target / PurePosixPath(name).relative_to(inside)
            place.parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(place)
        return len(chosen)
    except ClapleakError:
        raise
    except OSError as error:  # the disk, or members that are in each other's way
        raise ClapleakError(f"{archive}: cannot be unpacked into {target} ({error}); make room or move it") from error
    except Exception as error:  # the archive libraries raise a dozen kinds, all of which mean damage
        raise ClapleakError(f"{archive}: damaged ({error!r}); delete it and fetch again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_zip(volumes: list[Path], folder: Path, choose: Choose) -> None:
    with zipfile.ZipFile(volumes[0]) as opened:
        members = [(m.filename, stat.S_IFMT(m.external_attr >> 16), m.file_size) for m in opened.infolist()]
        opened.extractall(folder, choose(members))


def _unpack_7z(volumes: list[Path], folder: Path, choose: Choose) -> None:
    with py7zr.SevenZipFile(volumes[0]) as opened:
        opened.max_extract_size = opened.archiveinfo().uncompressed  # members that lie about their size end there
        kinds = [stat.S_IFLNK if m.is_symlink else stat.S_IFDIR if m.is_directory else m.st_fmt for m in opened.files]
        members = zip(opened.files, kinds, strict=True)
        opened.extract(folder, choose([(m.filename, kind, m.uncompressed) for m, kind in members]))


def _unpack_volumes(volumes: list[Path], folder: Path, choose: Choose) -> None:
    """Write the members of a zip in several volumes as they come; its links and devices would become plain files."""
    check_room(folder, sum(path.stat().st_size for path in volumes), f"unpacking {volumes[-1].name}")
    for name, size, blocks in stream_unzip(_bytes_of(volumes)):
        taken = choose([(name.decode(), None, size or 0)])
        place = folder / name.decode() if taken else Path(os.devnull)  # what is not taken must be read as well
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            file.writelines(blocks)


def _bytes_of(volumes: list[Path]) -> Iterator[bytes]:
    """The volumes as one stream, without the marker of four bytes that the first begins with."""
    for number, path in enumerate(volumes):
        with path.open("rb") as file:
            file.seek(0 if number else 4)
            while block := file.read(_BLOCK):
                yield block


def check_room(place: Path, needed: int, what: str) -> None:
    """ClapleakError unless `place`, which need not exist yet, can be written and its disk has `needed` bytes free."""
    place = next(folder for folder in (place, *place.parents) if folder.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise ClapleakError(f"{place}: not a folder that can be written; name another one")
    if needed > (free := shutil.disk_usage(place).free):
        short = f"needs {needed / 1e9:.3f} GB, {free / 1e9:.3f} GB are free"
        raise ClapleakError(f"{place}: {what} {short}; free some or name another disk")
