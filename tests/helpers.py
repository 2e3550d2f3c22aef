"""What many tests make: corpora of a few rows, changed profiles, calls of the command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml
from click.testing import CliRunner, Result

from clapleak.cli import main
from clapleak.config import Audio, Profile, find_root
from clapleak.corpora import Corpus

SMALL = Audio(sample_rate=8000, segment=0.5, window=256, hop=80, mel_bins=16, f_min=50.0, f_max=4000.0,
              keep_checkpoint_frontend=False)  # fmt: skip


def corpus(clip: list[str], root: Path | None = None, **columns: object) -> Corpus:
    """A corpus of some clips; columns that are not given hold nothing of interest."""
    usual = {"path": clip, "offset": 0.0, "duration": 0.5, "text": "", "labels": [[]] * len(clip), "sounds": None}
    usual |= {"recording": clip, "split": ""}
    return Corpus("made", root, pd.DataFrame({"clip": clip, **usual, **columns}))


def noise(folder: Path, seconds: dict[str, float]) -> None:
    """One file of noise a name, at 8 kHz."""
    for i, (name, length) in enumerate(seconds.items()):
        soundfile.write(folder / name, np.random.default_rng(i).normal(0, 0.1, round(8000 * length)), 8000)


def changed(profile: Profile, **sections: object) -> Profile:
    """A profile with other numbers: changed(profile, seeds=2, recipe={"batch_size": 4})."""
    update = {
        name: getattr(profile, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in sections.items()
    }
    return profile.model_copy(update=update)


def write_profile(path: Path, base: str = "smoke", **sections: object) -> Path:
    """A changed copy of a profile as a file."""
    content = yaml.safe_load((find_root() / "profiles" / f"{base}.yaml").read_text()) | {"name": path.stem}
    for name, value in sections.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(content))
    return path


def call(*words: object) -> Result:
    """`clapleak` with some words."""
    return CliRunner().invoke(main, [str(word) for word in words])


def python(*words: object, code: int = 0, env: dict[str, str] | None = None, **options: object):
    """A finished process of Python that has this package; it must end with an exit code. `env` adds variables."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **(env or {})}
    words = [sys.executable, *map(str, words)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, **options)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def copy_project(folder: Path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    for name in ("profiles", "notebooks", "reference", "clapleak", "workflow"):
        shutil.copytree(find_root() / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(find_root() / name, folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
