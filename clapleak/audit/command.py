"""What `clapleak audit` does: read, embed once, audit, write three files, decide."""

import json
from contextlib import suppress
from pathlib import Path

import pandas as pd

from clapleak import texts
from clapleak.audit import clouds, models, sounds, verdicts
from clapleak.config import ClapleakError
from clapleak.corpora.table import read_column
from clapleak.files import atomic_file, say
from clapleak.identity import digest

FAILURES = ("labels", "recordings", "unknown")
RECORDINGS = ("recording", "id", "fname", "src_file")  # columns of a CSV of recordings


def run(
    model: str, test: Path | None, training_labels: tuple[Path, ...], training_captions: tuple[Path, ...],
    training_recordings: Path | None, training_audio: Path | None, rule: str, prompts: Path | None,
    reference: Path | None, fail_on: str, max_leak: float, alpha: float, seed: int, allow_missing: bool, output: Path,
) -> verdicts.Audit:  # fmt: skip
    """Audit a model and write report.html, audit.json, with the exit code of its gate, and clouds.npz."""
    failures = [name.strip() for name in fail_on.split(",")]
    if wrong := set(failures) - set(FAILURES):
        raise ClapleakError(f"--fail-on {min(wrong)}: use {', '.join(FAILURES)}, with commas between")
    if rule not in texts.RULES:
        raise ClapleakError(f"unknown rule '{rule}': use {', '.join(texts.RULES[:-1])} or {texts.RULES[-1]}")
    files = (*training_labels, *training_captions)
    training = texts.read_files(files, labels_only=rule == "ontology")["text"] if files else None
    recordings = training_recordings and read_column(training_recordings, RECORDINGS, "recording").tolist()
    compared = None if reference is None else _reference(reference)
    wordings = clouds.PROMPTS if prompts is None else _lines(prompts)
    found = _clouds(model, test, wordings, output / "clouds.npz", allow_missing=allow_missing, seed=seed)
    seen = None if training is None else verdicts.seen_classes(found.classes, training, rule)
    copies = None if training_audio is None else _duplicates(found, training_audio)
    audited = verdicts.audit(found, seen, recordings, compared, duplicates=copies, alpha=alpha, seed=seed)
    gate = {"fail_on": failures, "max_leak": max_leak, "code": audited.gate(failures, max_leak)}
    audited.json.update(rule=None if seen is None else rule, gate=gate)
    for name, content in (("audit.json", json.dumps(audited.json, indent=1)), ("report.html", audited.html())):
        with atomic_file(output / name) as file:
            file.write(content.encode())
    return audited


def summary(audited: verdicts.Audit, output: Path) -> str:
    """The verdicts and the gate as lines of text."""
    lines = {name: verdict["sentence"] for name, verdict in audited.json["verdicts"].items()}
    if measured := audited.json["measures"].get("zero_shot"):
        low, high = measured["interval"]
        lines = {"zero-shot": f"{measured['value']:.3f} [{low:.3f}, {high:.3f}]", **lines}
    gate = audited.json["gate"]
    lines["gate"] = {0: "passed", 1: "failed", 3: "undecidable"}[gate["code"]] + f" (--max-leak {gate['max_leak']})"
    lines |= {f"note {i}": note for i, note in enumerate(audited.json["notes"], 1)}
    return "\n".join([*(f"{name + ':':12}{line}" for name, line in lines.items()), str(output / "report.html")])


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; write one prompt a line, with {{}} for the class")
    return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())


def _reference(path: Path) -> dict:
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_text("utf-8"))
        if content["schema"] == verdicts.SCHEMA and content["classes"]:
            return content
    raise ClapleakError(f"{path}: not an audit.json of this version; audit the reference model on this test first")


def _clouds(model: str, test: Path | None, prompts: tuple[str, ...], kept: Path, **options: int) -> clouds.Clouds:
    """The clouds of a model; those of an earlier call where all that `embed` is given is the same."""
    table = None if test is None else clouds.read_test(test)
    if model.endswith(".npz"):
        return clouds.read_arrays(Path(model), table)
    if table is None:
        raise ClapleakError(f"{model}: a model needs a test: give ESC-50's folder, or a CSV of path and label")
    here = Path(model.rpartition(":")[0] or model)  # a script, or a folder of weights
    read = [*(sorted(here.rglob("*")) if here.is_dir() else [here]), *map(Path, table.get("path", []))]
    times = [path.stat().st_mtime_ns for path in read if path.is_file()]
    key, mark = digest(model, times, table.to_csv(), prompts, options), kept.with_suffix(".key")
    if kept.is_file() and mark.is_file() and mark.read_text() == key:
        say(f"{kept}: embeddings of an earlier call")
        return clouds.read_arrays(kept)
    found = models.embed(models.load_model(model), table, prompts, **options)
    mark.unlink(missing_ok=True)
    found.save(kept)
    mark.write_text(key)
    return found


def _duplicates(found: clouds.Clouds, folder: Path) -> pd.DataFrame:
    """Test sounds that are in a folder of training sounds, by fingerprint."""
    if found.paths is None:
        raise ClapleakError("--training-audio compares sounds, and this test has no column path")
    broken: dict[str, str] = {}
    test = [own for _, own in sounds.of_files(found.paths, "test sounds", sounds.fingerprint, broken)]
    if broken:
        raise ClapleakError(f"{min(broken)}: no sound that can be read; correct the paths of the test")
    files = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in sounds.SUFFIXES)
    table = sounds.duplicates(test, sounds.of_files(files, "training sounds", sounds.fingerprint, broken))
    if len(broken) == len(files):
        raise ClapleakError(f"{folder}: no sound file that can be read; give the folder of the training sounds")
    if broken:
        say(f"{folder}: {len(broken)} of {len(files)} files cannot be read, {min(broken)} first")
    return table
