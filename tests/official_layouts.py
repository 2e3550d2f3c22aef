"""Tiny corpora in their official layouts, with the real columns: noise clips and texts of our own.

Every function makes one corpus below a data root and gives the corpus's own root. Of the texts and labels every
second one holds a word of an ESC-50 name, so that the leak filter removes some and leaves some.
"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

from clapleak.leakage import load_labels

LEAKING = ["a dog barks", "rain falls on a roof", "a clock ticks", "somebody opens a can", "birds and insects sing"]
HARMLESS = ["a man speaks", "a violin is played", "people cheer", "a kettle boils", "music plays softly"]
PLACES = ["in a hall", "outside", "nearby", "far away", "in a kitchen", "on a square", "at night", "for a while"]
LABELS = [  # mid, AudioSet's display name, FSD50K's label; the first of each pair holds a word of an ESC-50 name
    ("/m/0bt9lr", "Dog", "Dog"), ("/m/09x0r", "Speech", "Speech"),
    ("/m/06mb1", "Rain", "Rain"), ("/m/07y_7", "Violin, fiddle", "Bowed_string_instrument"),
    ("/m/03w41f", "Church bell", "Church_bell"), ("/m/05r5c", "Piano", "Piano"),
    ("/m/07jdr", "Train", "Train"), ("/m/015lz1", "Singing", "Singing"),
    ("/m/02mk9", "Engine", "Engine"), ("/m/07r04", "Truck", "Truck"),
    ("/m/081rb", "Writing", "Writing"),  # no partner: an odd number, so that all labels meet
]  # fmt: skip
ESC50 = [name.replace(" ", "_") for name in load_labels("esc50")]
NOISE = np.random.default_rng(0).normal(0, 0.1, 16 * 44100).astype(np.float32)


def caption(number: int) -> str:
    """Caption of a running number: even ones leak, eighty are different."""
    events = LEAKING if number % 2 == 0 else HARMLESS
    return f"{events[number // 2 % len(events)].capitalize()} {PLACES[number // (2 * len(events)) % len(PLACES)]}"


def labels(number: int) -> list[tuple[str, str, str]]:
    """One or two of LABELS for a running number: even ones leak, odd ones do not."""
    pool = LABELS[:10:2] if number % 2 == 0 else [*LABELS[1:10:2], LABELS[10]]
    chosen = pool[number // 2 % len(pool)]
    return [chosen] if number % 3 == 0 or chosen == pool[-1] else [chosen, pool[-1]]


def clip(path: Path, number: int, seconds: tuple[float, float] = (1, 12), rate: int = 16000) -> None:
    """A noise clip; length and loudness follow from its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    start, length = int(rng.integers(1000)), round(rng.uniform(*seconds) * rate)
    soundfile.write(path, np.resize(NOISE[start:], length) * rng.uniform(0.2, 1), rate)


def table(path: Path, columns: str, rows: list, encoding: str = "utf-8") -> None:
    """A CSV file, with a header where `columns` names them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, header=columns.split() or False, index=False, encoding=encoding)


def esc50(data: Path, clips: int = 50, targets: list[int] | None = None, **sound) -> Path:
    """ESC-50: `clips` clips of 5 s, the classes in turn, or one clip a number in `targets`; a class's folds in turn."""
    root, rows = data / "ESC-50-master", []
    for i, target in enumerate(targets := targets or [i % 50 for i in range(clips)]):
        fold, source = targets[:i].count(target) % 5 + 1, 1000 + i
        name = f"{fold}-{source}-A-{target}.wav"
        clip(root / "audio" / name, i, **{"seconds": (5, 5), **sound})
        rows.append((name, fold, target, ESC50[target], target in (0, 1, 10, 11, 12, 20, 21, 38, 40, 41), source, "A"))
    table(root / "meta" / "esc50.csv", "filename fold target category esc10 src_file take", rows)
    return root


def clotho(data: Path, clips: int = 8, **sound) -> Path:
    """Clotho 2.1: in each of three splits `clips` files with five captions; metadata in ISO-8859-1."""
    root = data / "CLOTHO_v2.1"
    for part, split in enumerate(("development", "validation", "evaluation")):
        texts, metadata = [], []
        for i in range(clips):
            number = part * clips + i
            name = f" Café {i} .wav" if i == 1 else f"file {i}.wav"  # real names begin and end with blanks too
            clip(root / "clotho_audio_files" / split / name, number, **sound)
            texts.append((name, *(caption(number * 5 + k) for k in range(5))))
            link = f"https://freesound.org/people/x/sounds/{7000 + number}"
            metadata.append((name, "noise;café", 7000 + number, link, "[0, 1]", "maker", "http://creativecommons.org/"))
        columns, folder = "file_name caption_1 caption_2 caption_3 caption_4 caption_5", root / "clotho_csv_files"
        table(folder / f"clotho_captions_{split}.csv", columns, texts)
        columns = "file_name keywords sound_id sound_link start_end_samples manufacturer license"
        table(folder / f"clotho_metadata_{split}.csv", columns, metadata, "iso-8859-1")
    return root


def audiocaps(data: Path, clips: int = 40, **sound) -> Path:
    """AudioCaps v1: `clips` rows for training; a fifth as many clips of five captions in each of val and test."""
    root, number = data / "AUDIOCAPS", 0
    for split, files, captions in (("train", clips, 1), ("val", -(-clips // 5), 5), ("test", -(-clips // 5), 5)):
        rows = []
        for i in range(files):
            name = f"-{split[:2]}_{i:07d}"  # eleven characters; real ids begin with - and _ too
            clip(root / "audio_32000Hz" / split / f"{name}_{10 * i}.flac", number, **sound)
            rows += [(number * 5 + k, name, 10 * i, caption(number + k)) for k in range(captions)]
            number += 1
        table(root / "csv_files_v1" / f"{split}.csv", "audiocap_id youtube_id start_time caption", rows)
    return root


def macs(data: Path, clips: int = 12, **sound) -> Path:
    """MACS: `clips` TAU files with two to five captions and tags each."""
    root, files = data / "MACS", []
    for i in range(clips):
        name = f"airport-lisbon-{1000 + i}-{i}-a.wav"
        clip(root / "audio" / name, i, **sound)
        said = [(10 + k, caption(i * 5 + k), ["footsteps", "adults talking"][: k % 2 + 1]) for k in range(2 + i % 4)]
        annotations = [dict(zip(("annotator_id", "sentence", "tags"), values, strict=True)) for values in said]
        files.append({"filename": name, "annotations": annotations})
    (root / "MACS.yaml").write_text(yaml.safe_dump({"files": files}, sort_keys=False))
    return root


def fsd50k(data: Path, clips: int = 40, **sound) -> Path:
    """FSD50K: `clips` in dev, every fifth for validation, and a fourth as many in eval; every fourth has no title."""
    root = data / "FSD50K"
    for part, count in (("dev", clips), ("eval", -(-clips // 4))):
        rows, info = [], {}
        for i in range(count):
            fname = 100000 * (part == "eval") + 10 + i
            clip(root / f"FSD50K.{part}_audio" / f"{fname}.wav", fname, **sound)
            names, mids = (",".join(label[k] for label in labels(i)) for k in (2, 0))
            rows.append((fname, names, mids, *(["val" if i % 5 == 4 else "train"] if part == "dev" else [])))
            text = f'{caption(i)}.\n<a href="https://example.org">more</a>'
            title, text = (f"take_{i}.wav", text) if i % 4 != 3 else ("", "")
            link = "http://creativecommons.org/"
            info[fname] = {"title": title, "description": text, "tags": ["noise"], "license": link, "uploader": "x"}
        table(root / "FSD50K.ground_truth" / f"{part}.csv", "fname labels mids" + " split" * (part == "dev"), rows)
        (root / "FSD50K.metadata").mkdir(exist_ok=True)
        (root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json").write_text(json.dumps(info))
    vocabulary = [(i, name, mid) for i, (mid, _, name) in enumerate(LABELS)]
    table(root / "FSD50K.ground_truth" / "vocabulary.csv", "", vocabulary)
    return root


def audioset(data: Path, clips: int = 40, **sound) -> Path:
    """AudioSet: `clips` segments in each of two training splits, half as many in eval; the three usual file names."""
    root = data / "AUDIOSET"
    classes = [(i, mid, name) for i, (mid, name, _) in enumerate(LABELS)]
    table(root / "class_labels_indices.csv", "index mid display_name", classes)
    for part, split in enumerate(("balanced_train", "unbalanced_train", "eval")):
        lines, count = [], -(-clips // 2) if split == "eval" else clips
        for i in range(count):
            ytid, start, mids = f"-{split[0]}_{i:08d}", 10.0 * i, ",".join(mid for mid, _, _ in labels(i))
            name = (f"{ytid}.wav", f"{ytid}.flac", f"Y{ytid}.wav")[i % 3]
            clip(root / "audio" / split / name, part * clips + i, **sound)
            lines.append(f'{ytid}, {start:.3f}, {start + 10:.3f}, "{mids}"')
        header = [f"# num_ytids={count}, num_segs={count}", "# YTID, start_seconds, end_seconds, positive_labels"]
        (root / f"{split}_segments.csv").write_text("\n".join([*header, *lines]) + "\n")
    return root


CORPORA = {
    "esc50": esc50, "clotho": clotho, "audiocaps": audiocaps, "macs": macs, "fsd50k": fsd50k, "audioset": audioset
}  # fmt: skip


def everything(data: Path, **sound) -> Path:
    """All six corpora at their default size, about 40 pairs each; gives the data root."""
    for make in CORPORA.values():
        make(data, **sound)
    return data


def edit(path: Path, pattern: str, replacement: str, count: int = 1, encoding: str = "utf-8") -> None:
    """Change a text file by a regular expression; a pattern that is not there is an error of the test."""
    text, hits = re.subn(pattern, replacement, path.read_text(encoding), count=count)
    assert hits, f"{pattern} is not in {path}"
    path.write_text(text, encoding)
