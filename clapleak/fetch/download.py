"""Fetch what is public of the corpora: shown first, resumed after a cut, verified, unpacked into the official layout.

`downloads.csv` lists the files. In the data root, `downloads/` holds the archives, and `checksums.json` their state.
"""

import csv
import hashlib
import json
import time
import zipfile
from collections import namedtuple
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import requests
import yaml
from tqdm import tqdm

from clapleak import corpora
from clapleak.config import ClapleakError
from clapleak.fetch.unpack import check_room, unpack
from clapleak.files import say, write

TABLE = Path(__file__).with_name("downloads.csv")
PAUSES = (1, 2, 4, 8, 16)  # seconds between tries that bring nothing new
ASK = {"headers": {"Accept-Encoding": "identity"}, "timeout": (10, 60)}  # not packed; s to connect, s without a byte
GUIDES = yaml.safe_load(TABLE.with_name("guides.yaml").read_text("utf-8"))  # for audio that nobody publishes


class Download(namedtuple("Download", "corpus file url md5 about_bytes target inside licence")):
    """A row of downloads.csv; `inside` is the folder of an archive that becomes `target`, empty for a plain file."""

    def path(self, root: Path, ending: str = "") -> Path:
        """Where the file comes; with the ending ".part" where that lies which has come so far."""
        return root / ("downloads" if self.inside else self.target) / f"{self.file}{ending}"

    def noted(self, root: Path) -> dict[str, Any]:
        """What checksums.json says of the file."""
        return _state(root).get(f"{self.corpus}/{self.file}", {})

    def note(self, root: Path, **values: Any) -> None:
        state = _state(root) | {f"{self.corpus}/{self.file}": self.noted(root) | values}
        write(root / "checksums.json", json.dumps(state, indent=1, sort_keys=True).encode())

    def verified(self, root: Path) -> bool:
        """Whether the file lies there and has not changed since it was verified."""
        path, noted = self.path(root), self.noted(root)
        return path.is_file() and (_size(path), path.stat().st_mtime_ns) == (noted.get("bytes"), noted.get("mtime_ns"))


def jobs(name: str) -> list[list[Download]]:
    """The files of a corpus, those of one archive together in order; ClapleakError for an unknown corpus."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        downloads = [Download(**row) for row in csv.DictReader(file)]
    if name not in (known := sorted({item.corpus for item in downloads} | set(GUIDES))):
        raise ClapleakError(f"unknown corpus '{name}': known are {', '.join(known)}")
    wanted = (item for item in downloads if item.corpus == name)
    return [list(job) for _, job in groupby(wanted, lambda item: Path(item.file).stem if item.inside else item.file)]


def plan(name: str, root: Path) -> str:
    """Licence, files and bytes of what is still to fetch, as text for the reader; "" when all is there.

    ClapleakError when the corpus is unknown, a server cannot be reached, or the disk is too small for what comes
    and for the archives unpacked, taken to be as large again.
    """
    todo = [item for job in jobs(name) if not _done(job, root) for item in job]
    check_room(root, 0, "")  # before any server is asked
    fetched = room = unknown = 0
    for item in todo:
        here = _size(item.path(root))
        size = here or _remote_size(item.url) or int(item.about_bytes or 0)
        missing = max(0, size - (here or _size(item.path(root, ".part"))))
        unknown, fetched, room = unknown + (not size), fetched + missing, room + missing + size * bool(item.inside)
    check_room(root, room, f"fetching {name}")
    more = f" and {unknown} files of unknown size" * bool(unknown)
    amount = f"{len(todo)} files, {fetched / 1e9:.3f} GB{more} to fetch into {root}"
    return f"{name}: {todo[0].licence}\n{amount}; {room / 1e9:.3f} GB with what is unpacked" if todo else ""


def fetch(name: str, root: Path) -> None:
    """Download, verify and unpack what is not there yet; goes on where a run was cut off or killed."""
    listed = None  # MACS describes a part of TAU Urban's clips: names of these
    for job in jobs(name):
        last, target = job[-1], root / job[-1].target
        if _done(job, root):
            continue
        for item in job:
            _obtain(item, root)
        if last.inside:
            if name == "macs" and listed is None:
                listed = {f"{Path(clip).name}.wav" for clip in corpora.read("macs", root / "MACS").table["clip"]}
            say(f"{last.file}: unpacking into {target}; the archive may be deleted afterwards")
            last.note(root, unpacked=unpack([item.path(root) for item in job], last.inside, target, listed))
    if listed:
        say(f"MACS: {sum((target / file).is_file() for file in listed)} of {len(listed)} listed clips are there")


def _done(job: list[Download], root: Path) -> bool:
    """Whether the files of a job are in place as verified, or its archive is unpacked and nothing was taken away."""
    last = job[-1]
    if not last.inside:
        return last.verified(root)
    others = [other[-1] for other in jobs(last.corpus) if other[-1].target == last.target]
    unpacked = sum(other.noted(root).get("unpacked", 0) for other in others)
    there = sum(path.is_file() for path in (root / last.target).rglob("*"))
    return "unpacked" in last.noted(root) and 0 < unpacked <= there  # one archive of several may hold none


def _obtain(item: Download, root: Path) -> None:
    """Bring one file to its place, verified: by MD5, else by size, archive test and the SHA-256 of the first fetch."""
    if item.verified(root):
        return
    path, part = item.path(root), item.path(root, ".part")
    by_hand = path.is_file()  # verified as if it had come, and left alone
    if not by_hand:
        _download(item, part)
    kind, wanted = ("md5", item.md5) if item.md5 else ("sha256", item.noted(root).get("sha256"))
    with (path if by_hand else part).open("rb") as file:
        digest = hashlib.file_digest(file, kind).hexdigest()
        whole = bool(item.md5) or not item.file.endswith(".zip")
        with suppress(Exception):  # a dozen kinds, all of which mean damage
            whole = whole or zipfile.ZipFile(file).testzip() is None
    if not whole or digest != (wanted or digest):
        fault = f"{kind} is {digest}, expected {wanted}" if whole else "not a whole zip"
        place, remedy = (path, "move it away") if by_hand else (item.url, "what came was deleted")
        part.unlink(missing_ok=True)
        raise ClapleakError(f"{place}: {fault}; {remedy}, give the command again")
    if not item.md5:
        told = "as at the first fetch" if wanted else "kept in checksums.json to compare later"
        say(f"{item.file}: no published sum; size{' and archive' * bool(item.inside)} checked, SHA-256 {told}")
    if not by_hand:
        part.replace(path)
    item.note(root, bytes=_size(path), mtime_ns=path.stat().st_mtime_ns, **{kind: digest})


def _download(item: Download, part: Path) -> None:
    """Fill `part` from where it ends; tries on while more comes, and a few times when nothing does."""
    part.parent.mkdir(parents=True, exist_ok=True)
    best, pauses = _size(part), iter(PAUSES)
    while True:
        try:
            return _stream(item, part)
        except requests.RequestException as error:
            if _size(part) > best:
                best, pauses = _size(part), iter(PAUSES)
            reply = error.response
            why = str(error)[:200] if reply is None else f"{reply.status_code} {reply.reason}"
            if (pause := next(pauses, None)) is None:
                raise ClapleakError(f"{item.url}: {why}; what came is kept, give the command again") from error
            pause = max(pause, 0 if reply is None else min(300, _number(reply, "Retry-After")))
            say(f"{item.file}: {why}; again in {pause} s")
            time.sleep(pause)


def _stream(item: Download, part: Path) -> None:
    """One request; a requests.RequestException unless `part` is whole afterwards."""
    have = _size(part)
    headers = ASK["headers"] | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(item.url, **ASK | {"headers": headers}, stream=True) as reply:
        span = reply.headers.get("Content-Range", "")
        if reply.status_code == 416 or (reply.status_code == 206 and not span.startswith(f"bytes {have}-")):
            if span == f"bytes */{have}":
                return  # all had come before the cut
            part.unlink(missing_ok=True)
            raise requests.RequestException("the part on disk does not fit the server's file, starting again")
        reply.raise_for_status()
        if reply.headers.get("Content-Type", "").startswith("text/html"):
            raise ClapleakError(f"{item.url}: a web page came instead of the file; look at it in a browser")
        have = have if reply.status_code == 206 else 0  # 200: this server does not resume
        coming = _number(reply, "Content-Length")
        total = have + coming if coming else None
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=item.file, disable=None)
        with part.open("ab" if have else "wb") as file, bar:
            for block in reply.iter_content(1 << 13):  # a cut loses what a block has begun
                bar.update(file.write(block))
    if total not in (None, _size(part)):
        raise requests.RequestException(f"{_size(part)} of {total} bytes came")


def _remote_size(url: str) -> int:
    """Bytes of a file as its server tells; 0 when it does not."""
    try:
        reply = requests.head(url, allow_redirects=True, **ASK)
    except requests.RequestException as error:
        raise ClapleakError(f"{url}: no answer ({type(error).__name__}); is there a network?") from error
    return _number(reply, "Content-Length") if reply.ok else 0


def _number(reply: requests.Response, header: str) -> int:
    """A header that holds a whole number; 0 where it is absent or holds something else."""
    text = reply.headers.get(header, "")
    return int(text) if text.isdecimal() else 0


def _state(root: Path) -> dict[str, dict[str, Any]]:
    file = root / "checksums.json"
    try:
        state = json.loads(file.read_bytes()) if file.is_file() else {}
        noted = {name: dict(values) for name, values in state.items()}
        counts = [values.get("unpacked", 0) for values in noted.values()]
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError("unpacked")
        return noted
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ClapleakError(f"{file}: damaged; delete it, and what is there is verified again") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
