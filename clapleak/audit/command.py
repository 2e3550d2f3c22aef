"""What `clapleak audit` does: read, embed once, audit, write three files, decide."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from clapleak import audit as audits
from clapleak import texts
from clapleak.audit import clouds, sounds, verdicts
from clapleak.config import ClapleakError
from clapleak.corpora.table import read_csv
from clapleak.files import atomic_file, say

FAILURES = ("labels", "recordings", "unknown")


def run(
    model: str, test: Path | None, training_labels: tuple[Path, ...], training_captions: tuple[Path, ...],
    training_recordings: Path | None, training_audio: Path | None, rule: str, prompts: Path | None,
    reference: Path | None, fail_on: str, max_leak: float, alpha: float, seed: int, allow_missing: bool, output: Path,
) -> tuple[verdicts.Audit, int]:  # fmt: skip
    """Audit a model and write report.html, audit.json and clouds.npz; the audit and the exit code of its gate."""
    failures = [name.strip() for name in fail_on.split(",")]
    if wrong := set(failures) - set(FAILURES):
        raise ClapleakError(f"--fail-on {sorted(wrong)[0]}: use {', '.join(FAILURES)}, with commas between")
    if rule not in texts.RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {', '.join(texts.RULES)}")
    given = [texts.read_texts(path, labels_only=rule == "ontology") for path in (*training_labels, *training_captions)]
    training = [text for table in given for text in table["text"]]
    recordings = None if training_recordings is None else _recordings(training_recordings)
    compared = None if reference is None else _reference(reference)
    found = _clouds(model, test, _prompts(prompts), allow_missing, seed, output / "clouds.npz")
    seen = verdicts.seen_classes(found.classes, training, rule) if given else None
    copies = None if training_audio is None else _duplicates(found, training_audio)
    options = dict(duplicates=copies, alpha=alpha, seed=seed)
    audited = audits.audit(found, seen, recordings, compared, **options)
    code = audited.gate(failures, max_leak)
    audited.json.update(rule=rule if given else None, gate={"fail_on": failures, "max_leak": max_leak, "code": code})
    for name, content in (("audit.json", json.dumps(audited.json, indent=1)), ("report.html", audited.html())):
        with atomic_file(output / name) as file:
            file.write(content.encode())
    return audited, code


def summary(audited: verdicts.Audit, output: Path) -> str:
    """The verdicts and the gate as lines of text."""
    measured, code = audited.json["measures"].get("zero_shot"), audited.json["gate"]["code"]
    lines = [f"{name + ':':12}{verdict['sentence']}" for name, verdict in audited.json["verdicts"].items()]
    if measured:
        low, high = measured["interval"]
        lines.insert(0, f"{'zero-shot:':12}{measured['value']:.3f} [{low:.3f}, {high:.3f}]")
    decided = {0: "passed", 1: "failed", 3: "undecidable"}[code]
    return "\n".join([*lines, f"{'gate:':12}{decided}", f"{output / 'report.html'}"])


def _prompts(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return clouds.PROMPTS
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; write one prompt a line, with {{}} for the class")
    return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())


def _recordings(path: Path) -> list[str]:
    table = read_csv(path, [])
    column = next((name for name in ("recording", "id", "fname", "src_file") if name in table), None)
    if column is None:
        raise ClapleakError(f"{path}: no column recording; found {', '.join(table.columns)}")
    return table[column].tolist()


def _reference(path: Path) -> dict:
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["schema"] == verdicts.SCHEMA and content["classes"]:
            return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClapleakError(f"{path}: not an audit.json; audit the reference model on this test first") from error
    raise ClapleakError(f"{path}: an audit.json of another version; audit the reference model again")


def _clouds(
    model: str, test: Path | None, prompts: tuple[str, ...], allow_missing: bool, seed: int, kept: Path
) -> clouds.Clouds:
    """The clouds of a model; those of an earlier call where model, test and prompts are the same."""
    table = None if test is None else clouds.read_test(test)
    if model.endswith(".npz"):
        return clouds.read_arrays(Path(model), table)
    if table is None:
        raise ClapleakError(f"{model}: a model needs a test: give ESC-50's folder, or a CSV of path and label")
    here = Path(model.rpartition(":")[0] or model)  # a script, or a folder of weights
    read = [*(sorted(here.rglob("*")) if here.is_dir() else [here]), *map(Path, table.get("path", []))]
    times = [path.stat().st_mtime_ns for path in read if path.is_file()]
    settings = (model, times, table.to_csv(), prompts, allow_missing, seed)
    key = hashlib.sha256(repr(settings).encode()).hexdigest()
    mark = kept.with_suffix(".key")
    if kept.is_file() and mark.is_file() and mark.read_text() == key:
        say(f"{kept}: embeddings of an earlier call")
        return clouds.read_arrays(kept)
    found = audits.embed(audits.load_model(model), table, prompts, allow_missing=allow_missing, seed=seed)
    mark.unlink(missing_ok=True)
    found.save(kept)
    mark.write_text(key)
    return found


def _duplicates(found: clouds.Clouds, folder: Path) -> pd.DataFrame:
    """Test sounds that are in a folder of training sounds, by fingerprint."""
    if found.paths is None:
        raise ClapleakError("--training-audio compares sounds, and this test has no column path")
    if not folder.is_dir():
        raise ClapleakError(f"{folder}: no such folder of sounds")
    prints = [sounds.fingerprint(*sounds.read(path)) for path in tqdm(found.paths, "test sounds", unit=" clips")]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in sounds.SUFFIXES)
    broken: list[Path] = []

    def training() -> Iterator[tuple[str, sounds.Print]]:
        for path in tqdm(files, "training sounds", unit=" clips"):
            try:
                yield str(path), sounds.fingerprint(*sounds.read(path))
            except ClapleakError:
                broken.append(path)

    table = sounds.duplicates(prints, training())
    if not files or len(broken) == len(files):
        raise ClapleakError(f"{folder}: no sound file that can be read; give the folder of the training sounds")
    if broken:
        say(f"{folder}: {len(broken)} of {len(files)} files cannot be read, {broken[0]} first")
    return table
