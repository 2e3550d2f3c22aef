"""User errors, the project's folders, YAML, files and folders that appear whole or not at all, locks, progress."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

import yaml


class ClapleakError(ValueError):
    """A user error: one line that names the file or key and the remedy."""

    def _render_traceback_(self) -> list[str]:
        """What a live notebook shows in place of the traceback: IPython asks for it."""
        return [f"clapleak: {self}"]


def nearest(word: str, known: Iterable[str]) -> str:
    """For messages about a misspelt name: " (did you mean 'mini'?)", or "" where nothing is close."""
    close = get_close_matches(word, list(known), 1)
    return f" (did you mean '{close[0]}'?)" if close else ""


PROJECT = next(p for p in (Path(__file__).with_name("project"), Path(__file__).parents[1]) if (p / "profiles").is_dir())


def _clone() -> Path | None:
    here = absolute(".")
    places = map(absolute, filter(None, (os.environ.get("CLAPLEAK_ROOT"), here, *here.parents)))
    return next((folder for folder in places if (folder / "profiles" / "mini.yaml").is_file()), None)


def find_root() -> Path:
    """Folder of profiles, reference values, notebooks, book and published results: a clone's, else the package's own.

    A clone is the nearest folder at or above the working directory that holds `profiles/mini.yaml`.
    """
    return _clone() or PROJECT


def output_root() -> Path:
    """Folder whose `build/` takes what the commands make: CLAPLEAK_ROOT, else the clone, else the working directory."""
    return absolute(os.environ.get("CLAPLEAK_ROOT") or _clone() or ".")


class _Plain(yaml.SafeLoader):
    """YAML without keys that stand twice, of which the last would win, and without merges, which can grow for ever."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        names = [key.value for key, _ in node.value]
        if wrong := [name for i, name in enumerate(names) if name == "<<" or name in names[:i]]:
            raise yaml.constructor.ConstructorError(None, None, f"key '{wrong[0]}' stands twice or is a merge")


def read_yaml(source: Path | str, name: str = "") -> Any:
    """Content of a YAML file in UTF-8, or of a text that messages call by `name`. ClapleakError for what is no YAML."""
    try:
        return yaml.load(source if isinstance(source, str) else source.read_text("utf-8"), _Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ClapleakError(f"{name or source}: not valid YAML: {' '.join(str(error).split())}; correct it") from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A name for what will take the place of `path`, or vanish when anything fails; an OSError names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        error.filename = str(path) if str(error.filename or temporary).startswith(str(temporary)) else error.filename
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):  # gone where all went well
            temporary.unlink()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears under its name whole or not at all."""
    with _replacing(path) as temporary, temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write(path: Path, content: bytes) -> None:
    """Put bytes into a file that appears under its name whole or not at all."""
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it appears under its name, in the place of an older one, whole or not at all."""
    for stale in path.parent.glob(f".{path.name}.*"):  # left by a process that was killed in the middle
        shutil.rmtree(stale, ignore_errors=True)
    with _replacing(path) as temporary:
        temporary.mkdir()
        yield temporary
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[int]:
    """Keep other processes out of the block; a lock ends with its process, whichever way that ends.

    It lasts longer where a process inherits the file descriptor that this gives. Where another process holds the lock,
    wait, or else raise a ClapleakError that names the process.
    """
    import fcntl  # not on Windows, where only training is impossible without it

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            file.seek(0)
            other = f"process {file.read().strip() or 'unknown'}, or what it started, is at work here"
            remedy = "wait until it ends, or end it and give the same command again"
            raise ClapleakError(f"{path.parent}: {other}; {remedy}") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()


def absolute(path: str | Path) -> Path:
    """A path from the root of the machine, with "~" replaced and links followed."""
    try:
        return Path(os.path.realpath(os.path.expanduser(path)))
    except FileNotFoundError as error:
        raise ClapleakError("the working directory was deleted; change into one that exists") from error


def placed(name: str, folder: Path) -> str:
    """The absolute path of what is named, from a folder or else the working directory; the name where nothing is."""
    places = () if name in ("minilm", "tiny") else map(absolute, (folder / name, name))
    return next((str(place) for place in places if place.exists()), name)


def say(message: str) -> None:
    """A line of progress, on standard error so that it never becomes part of a page."""
    print(message, file=sys.stderr, flush=True)
