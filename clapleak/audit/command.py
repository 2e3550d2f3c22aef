"""What `clapleak audit` does: read, embed once, audit, write three files, decide."""

import json
from contextlib import suppress
from pathlib import Path

import pandas as pd

from clapleak import texts
from clapleak.audit import clouds, models, sounds, verdicts
from clapleak.config import ClapleakError
from clapleak.files import say, write
from clapleak.identity import digest


def run(
    model: str, test: Path | None, training_labels: tuple[Path, ...], training_captions: tuple[Path, ...],
    training_recordings: Path | None, training_audio: Path | None, rule: str, prompts: Path | None,
    reference: Path | None, fail_on: str, max_leak: float, alpha: float, seed: int, allow_missing: bool, output: Path,
) -> verdicts.Audit:  # fmt: skip
    """Audit a model and write report.html, audit.json, with the exit code of its gate, and clouds.npz."""
    failures = [name.strip() for name in fail_on.split(",")]
    verdicts.asked(failures)
    texts.find_leaks([], ["class"], rule)  # refuses an unknown rule
    for name, value, least, most in (("--max-leak", max_leak, 0, 1), ("--alpha", alpha, 0.0001, 0.2)):
        if not least <= value <= most:  # nor NaN
            raise ClapleakError(f"{name} {value}: give a number from {least} to {most}")
    files = (*training_labels, *training_captions)
    for path in filter(None, (*files, test, training_recordings, prompts, reference)):
        if path.resolve() in {(output / name).resolve() for name in ("report.html", "audit.json", "clouds.npz")}:
            raise ClapleakError(f"{path}: would be overwritten; give another --output")
    training = texts.read_files(files, rule)["text"] if files else None
    recordings = training_recordings and texts.read_texts(training_recordings, "recordings")["text"].tolist()
    compared = None if reference is None else _reference(reference)
    wordings = clouds.PROMPTS if prompts is None else _lines(prompts)
    found = _clouds(model, test, wordings, output / "clouds.npz", allow_missing=allow_missing, seed=seed)
    seen = None if training is None else verdicts.seen_classes(found.classes, training, rule)
    copies = None if training_audio is None else _duplicates(found, training_audio)
    audited = verdicts.audit(found, seen, recordings, compared, duplicates=copies, alpha=alpha, seed=seed)
    gate = {"fail_on": failures, "max_leak": max_leak, "stopped_by": audited.stopped(failures, max_leak)}
    audited.json.update(rule=None if seen is None else rule, gate=gate | {"code": audited.gate(failures, max_leak)})
    made = {"audit.json": json.dumps(audited.json, indent=1, allow_nan=False), "report.html": audited.html()}
    for name, content in made.items():
        write(output / name, content.encode())
    return audited


def summary(audited: verdicts.Audit, output: Path) -> str:
    """The verdicts and the gate as lines of text."""
    lines = {name: verdict["sentence"] for name, verdict in audited.json["verdicts"].items()}
    if measured := audited.json["measures"].get("zero_shot"):
        lines = {"zero-shot": "{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]".format(**measured), **lines}
    gate = audited.json["gate"]
    why = "; ".join(f"{name}, {state}" for name, state in gate["stopped_by"].items())
    word = {0: "passed", 1: "failed: ", 3: "undecidable: "}[gate["code"]]
    lines["gate"] = f"{word}{why} (--max-leak {gate['max_leak']})"
    lines |= {f"note {i}": note for i, note in enumerate(audited.json["notes"], 1)}
    return "\n".join([*(f"{name + ':':12}{line}" for name, line in lines.items()), str(output / "report.html")])


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise ClapleakError(f"{path}: no such file, or not UTF-8; write a prompt a line, {{}} for the class") from error


def _reference(path: Path) -> dict:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        content = json.loads(path.read_text("utf-8"))
        tight = pd.DataFrame(content["classes"]).set_index("name")["silhouette_x_a"]
        sound = tight.index.is_unique and tight.between(-1, 1).all() and content["model"].strip()
        if sound and content["schema"] == verdicts.SCHEMA:
            return content
    raise ClapleakError(f"{path}: not an audit.json of this version and of a model with x_a; audit one on this test")


def _clouds(model: str, test: Path | None, prompts: tuple[str, ...], kept: Path, **options: int) -> clouds.Clouds:
    """The clouds of a model; of an earlier call where all that makes them is known and the same (not of a function)."""
    table = None if test is None else clouds.read_test(test)
    if model.lower().endswith((".npz", ".npy")):
        return clouds.read_arrays(Path(model), table)
    if table is None:
        raise ClapleakError(f"{model}: a model needs a test: give ESC-50's folder, or a CSV of path and label")
    here = Path(model if Path(model).exists() else model.partition(":")[2] or model)  # weights, or nothing
    read = [path.absolute() for path in (*here.rglob("*"), here, *map(Path, table.get("path", []))) if path.is_file()]
    states = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in read)
    key = "" if ".py:" in model else digest(model, states, table.to_csv(), prompts, options)
    try:
        earlier = clouds.load(kept).get("key")
    except ClapleakError:  # there is none, or it is damaged
        earlier = ""
    if earlier is None:
        raise ClapleakError(f"{kept}: would be overwritten, and no audit wrote it; move it, or give another --output")
    if key and earlier == key:
        say(f"{kept}: embeddings of an earlier call")
        return clouds.read_arrays(kept)
    found = models.embed(models.load_model(model), table, prompts, **options)
    found.save(kept, key)
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
