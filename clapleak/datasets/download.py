"""Fetch what is public of the corpora: shown first, resumed after a cut, verified, unpacked into the official layout.

`downloads.csv` lists the files. In the data root, `downloads/` holds the archives and `checksums.json` what was
verified and unpacked.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tqdm import tqdm

from clapleak.config import ClapleakError
from clapleak.datasets.unpack import check_room, unpack
from clapleak.files import atomic_file, say

TABLE = Path(__file__).with_name("downloads.csv")
PAUSES = (1, 2, 4, 8, 16)  # seconds between tries that bring nothing new
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
AS_IS = {"Accept-Encoding": "identity"}  # else a size would count packed bytes
GUIDES = {
    "audiocaps": """AudioCaps publishes no audio, only ids of videos, many of them gone. Two ways to get the rest:
  yt-dlp: 10 s from start_time as AUDIOCAPS/audio_32000Hz/{train,val,test}/{youtube_id}_{start_time}.flac, 32 kHz
  aac-datasets (PyPI): `aac-datasets-download --root DIR audiocaps` does that for every row""",
    "audioset": """AudioSet publishes no audio, only ids of videos, labels and features.
  segment lists and class_labels_indices.csv: http://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/
  features (of no use here, they are not audio): https://research.google.com/audioset/download.html
  audio: yt-dlp, 10 s from the start of each segment, as {ytid}.wav; without it, FSD50K stands in""",
}


class Download(NamedTuple):
    """A row of downloads.csv; `inside` is the folder of an archive that becomes `target`, empty for a plain file."""

    corpus: str
    file: str
    url: str
    md5: str
    about_bytes: str
    target: str
    inside: str
    licence: str

    def path(self, root: Path) -> Path:
        return root / ("downloads" if self.inside else self.target) / self.file


def jobs(name: str) -> list[list[Download]]:
    """The files of a corpus, those of one archive together in order; ClapleakError for an unknown corpus."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [Download(**row) for row in csv.DictReader(file)]
    if name not in (known := sorted({row.corpus for row in rows} | set(GUIDES))):
        raise ClapleakError(f"unknown corpus '{name}': known are {', '.join(known)}")
    found: dict[str, list[Download]] = {}
    for row in rows:
        if row.corpus == name:
            found.setdefault(Path(row.file).stem if row.inside else row.file, []).append(row)
    return list(found.values())


def plan(name: str, root: Path) -> str:
    """Licence, number of files and bytes of what is still to fetch, as text for the reader; empty when it is all there.

    ClapleakError when the corpus is unknown, a server cannot be reached, a package is missing, or the disk is too
    small for what comes and, as a rule of thumb, archives a second time unpacked.
    """
    rows = [row for job in jobs(name) if not _done(job, root) for row in job]
    if any(row.file.endswith(".7z") for row in rows):
        _need("py7zr")
    fetched = room = unknown = 0
    for row in rows:
        path = row.path(root)
        size = _size(path) or _remote_size(row.url) or int(row.about_bytes or 0)
        missing = max(0, size - (_size(path) or _size(_part(path))))
        unknown, fetched, room = unknown + (not size), fetched + missing, room + missing + size * bool(row.inside)
    check_room(root, room, f"fetching {name}")
    more = f" and {unknown} files of unknown size" * bool(unknown)
    amount = f"{len(rows)} files, {fetched / 1e9:.3f} GB{more} to fetch into {root}"
    return f"{name}: {rows[0].licence}\n{amount}; {room / 1e9:.3f} GB with what is unpacked" if rows else ""


def fetch(name: str, root: Path) -> None:
    """Download, verify and unpack what is not there yet; goes on where a run was cut off or killed."""
    listed = None  # MACS describes a part of TAU Urban's clips: names of these
    for job in jobs(name):
        last, target = job[-1], root / job[-1].target
        if _done(job, root):
            continue
        for row in job:
            _obtain(row, root)
        if last.inside:
            if name == "macs" and listed is None:
                text = (root / "MACS" / "MACS.yaml").read_bytes()
                listed = {entry["filename"] for entry in yaml.load(text, yaml.CSafeLoader)["files"]}
            say(f"{last.file}: unpacking into {target}; the archive may be deleted afterwards")
            _note(last, root, unpacked=unpack([row.path(root) for row in job], last.inside, target, listed))
    if listed:
        say(f"MACS: {sum((target / file).is_file() for file in listed)} of {len(listed)} listed clips are there")


def _obtain(row: Download, root: Path) -> None:
    """Bring one file to its place, verified: by MD5, else by size, archive test and the SHA-256 of the first fetch."""
    path, noted = row.path(root), _noted(row, root)
    if _same(path, noted):
        return
    found = path if path.is_file() else _part(path)
    if found != path:
        _download(row, found)
    kind, wanted = ("md5", row.md5) if row.md5 else ("sha256", noted.get("sha256"))
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, kind).hexdigest()
    damaged = not row.md5 and row.file.endswith(".zip") and not _sound(found)
    if damaged or (wanted and wanted != digest):
        fault = "not a sound zip" if damaged else f"{kind} is {digest}, expected {wanted}"
        if found == path:
            raise ClapleakError(f"{path}: {fault}; move it away and give the command again")
        found.unlink()
        raise ClapleakError(f"{row.url}: {fault}; what came was deleted, give the command again")
    if not row.md5:
        told = "as at the first fetch" if wanted else "kept in checksums.json to compare later"
        say(f"{row.file}: no published sum; size{' and archive' * bool(row.inside)} checked, SHA-256 {told}")
    found.replace(path)
    _note(row, root, bytes=_size(path), mtime_ns=path.stat().st_mtime_ns, **{kind: digest})


def _download(row: Download, part: Path) -> None:
    """Fill `part` from where it ends; tries on while more comes, and a few times when nothing does."""
    requests = _need("requests")
    part.parent.mkdir(parents=True, exist_ok=True)
    best, pauses = _size(part), iter(PAUSES)
    while True:
        try:
            return _stream(row, part)
        except requests.RequestException as error:
            if _size(part) > best:
                best, pauses = _size(part), iter(PAUSES)
            reply = error.response
            why = str(error)[:200] if reply is None else f"{reply.status_code} {reply.reason}"
            if (pause := next(pauses, None)) is None:
                raise ClapleakError(f"{row.url}: {why}; what came is kept, give the command again") from error
            asked = "" if reply is None else reply.headers.get("Retry-After", "")
            pause = max(pause, min(300, int(asked))) if asked.isdigit() else pause
            say(f"{row.file}: {why}; again in {pause} s")
            time.sleep(pause)


def _stream(row: Download, part: Path) -> None:
    """One request; a requests.RequestException unless `part` is whole afterwards."""
    requests, have = _need("requests"), _size(part)
    ask = AS_IS | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(row.url, headers=ask, stream=True, timeout=TIMEOUT) as reply:
        span = reply.headers.get("Content-Range", "")
        if reply.status_code == 416 and span == f"bytes */{have}":
            return  # all had come before the cut
        if reply.status_code == 416 or (reply.status_code == 206 and not span.startswith(f"bytes {have}-")):
            part.unlink(missing_ok=True)
            raise requests.RequestException("the part on disk does not fit the server's file, starting again")
        reply.raise_for_status()
        if reply.headers.get("Content-Type", "").startswith("text/html"):
            raise ClapleakError(f"{row.url}: a web page came instead of the file; look at it in a browser")
        have = have if reply.status_code == 206 else 0  # 200: this server does not resume
        total = have + int(reply.headers["Content-Length"]) if "Content-Length" in reply.headers else None
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=row.file, disable=None)
        with part.open("ab" if have else "wb") as file, bar:
            for block in reply.iter_content(1 << 13):  # a cut loses what a block has begun
                bar.update(file.write(block))
    if total not in (None, _size(part)):
        raise requests.RequestException(f"{_size(part)} of {total} bytes came")


def _remote_size(url: str) -> int:
    """Bytes of a file as its server tells; 0 when it does not."""
    requests = _need("requests")
    try:
        reply = requests.head(url, headers=AS_IS, timeout=TIMEOUT, allow_redirects=True)
    except requests.RequestException as error:
        raise ClapleakError(f"{url}: no answer ({type(error).__name__}); is there a network?") from error
    return int(reply.headers.get("Content-Length", 0)) if reply.ok else 0


def _done(job: list[Download], root: Path) -> bool:
    """Whether the files of a job are in place as verified, or its archive is unpacked and nothing was taken away."""
    last, target = job[-1], root / job[-1].target
    if not last.inside:
        return _same(last.path(root), _noted(last, root))
    shared = sum(
        _noted(other[-1], root).get("unpacked", 0) for other in jobs(last.corpus) if other[-1].target == last.target
    )
    return "unpacked" in _noted(last, root) and shared <= sum(path.is_file() for path in target.rglob("*"))


def _same(path: Path, noted: dict[str, Any]) -> bool:
    return path.is_file() and (_size(path), path.stat().st_mtime_ns) == (noted.get("bytes"), noted.get("mtime_ns"))


def _state(root: Path) -> dict[str, dict[str, Any]]:
    file = root / "checksums.json"
    try:
        return json.loads(file.read_bytes()) if file.is_file() else {}
    except ValueError as error:
        raise ClapleakError(f"{file}: not JSON; delete it, and what is there is verified again") from error


def _noted(row: Download, root: Path) -> dict[str, Any]:
    return _state(root).get(f"{row.corpus}/{row.file}", {})


def _note(row: Download, root: Path, **values: Any) -> None:
    state = _state(root) | {f"{row.corpus}/{row.file}": _noted(row, root) | values}
    with atomic_file(root / "checksums.json") as file:
        file.write(json.dumps(state, indent=1, sort_keys=True).encode())


def _sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ClapleakError(f"{package} is not installed: pip install {package}") from error
