"""Count what the leak filter does to the real corpora, from their public tables; no sound is needed.

Run `python reference/count_leaks.py --data-root DIR`, where `DIR/metadata` holds one folder a corpus: clotho, audiocaps
fsd50k, audioset and esc50. It writes leak_counts.csv, leak_words.csv, leak_classes.csv, leak_survivors.csv and
leak_overlaps.csv beside this file. Captions and titles stay where they are; only counts are written. Without
fsd50k/eval.csv the count of recordings in it stays as it is in leak_counts.csv.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd

from clapleak import leakage
from clapleak.texts import read_texts

HERE = Path(__file__).parent
RULES = ("word", "phrase", "ontology")
LABELS = ("FSD50K", "AudioSet")  # corpora of labels, which the rule "ontology" can judge


def balanced_segments(folder: Path) -> pd.DataFrame:
    """Columns `row`, one a segment of AudioSet's balanced training set, and `text`, one of its labels."""
    names = pd.read_csv(folder / "class_labels_indices.csv").set_index("mid")["display_name"]
    path = folder / "balanced_train_segments.csv"
    mids = pd.read_csv(path, comment="#", header=None, skipinitialspace=True)[3].str.split(",").explode()
    return pd.DataFrame({"row": mids.index, "text": mids.map(names).to_numpy()})


def corpora(metadata: Path) -> dict[tuple[str, str], pd.DataFrame]:
    """Corpus and unit of counting -> columns `row`, the unit, and `text`, one of its texts."""
    clips = read_texts(metadata / "clotho" / "clotho_captions_development.csv")
    return {
        ("AudioCaps", "train captions"): read_texts(metadata / "audiocaps" / "train.csv"),
        ("Clotho", "development captions"): clips.assign(row=range(len(clips))),
        ("Clotho", "development clips"): clips,
        ("FSD50K", "dev clips"): read_texts(metadata / "fsd50k" / "dev.csv"),
        ("AudioSet", "labels"): read_texts(metadata / "audioset" / "class_labels_indices.csv"),
        ("AudioSet", "balanced-train segments"): balanced_segments(metadata / "audioset"),
    }


def leaks_of(texts: pd.Series, rule: str = "word") -> pd.DataFrame:
    """`find_leaks` for the names of ESC-50, each different text searched once."""
    unique = texts.drop_duplicates()
    found = leakage.find_leaks(unique, leakage.load_labels("esc50"), rule)
    return found.set_index(unique.to_numpy()).loc[texts].set_index(texts.index)


def counts(metadata: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Removed units by corpus and rule; units by word of the paper's rule; units by class, of labels, by two rules."""
    removed, words, classes = [], [], []
    for (corpus, what), texts in corpora(metadata).items():
        rules = [rule for rule in RULES if rule != "ontology" or corpus in LABELS]
        leaks = {rule: leaks_of(texts["text"], rule) for rule in rules}
        for rule, found in leaks.items():
            gone = texts.loc[found["leaks"], "row"].nunique()
            removed.append((corpus, what, rule, gone, texts["row"].nunique()))
        words += [(corpus, what, *row) for row in by_word(texts["row"], leaks["word"])]
        if corpus in LABELS:
            classes += [(corpus, what, *row) for row in by_class(texts["row"], leaks["word"], leaks["ontology"])]
    removed += [("ESC-50", *row) for row in recordings(metadata)]
    return (
        pd.DataFrame(removed, columns=["corpus", "what", "rule", "removed", "total"]),
        pd.DataFrame(words, columns=["corpus", "what", "word", "count", "alone"]),
        pd.DataFrame(classes, columns=["corpus", "what", "class", "both", "word", "ontology"]),
    )


def by_word(rows: pd.Series, leaks: pd.DataFrame) -> list[tuple]:
    """Word, units that hold it, units that hold no other word of a test class; most frequent first."""
    found = leaks.assign(row=rows).explode("words").dropna(subset="words")[["row", "words"]].drop_duplicates()
    alone = found[~found["row"].duplicated(keep=False)]["words"].value_counts()
    table = found["words"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return [(word, count, int(alone.get(word, 0))) for word, count in table.items()]


def by_class(rows: pd.Series, word: pd.DataFrame, ontology: pd.DataFrame) -> list[tuple]:
    """Class, units that leak it by both rules, by "word" alone, by "ontology" alone; "any" is the whole unit."""
    pairs = []
    for leaks in (word, ontology):
        found = leaks.assign(row=rows).explode("classes").dropna(subset="classes")
        pairs.append({*zip(found["row"], found["classes"], strict=True)} | {(row, "any") for row in found["row"]})
    parts = (pairs[0] & pairs[1], pairs[0] - pairs[1], pairs[1] - pairs[0])
    numbers = [Counter(name for _, name in part) for part in parts]
    return [(name, *(number[name] for number in numbers)) for name in [*leakage.load_labels("esc50"), "any"]]


def recordings(metadata: Path) -> list[tuple]:
    """ESC-50 clips cut from a recording of FSD50K, and how many of these recordings each rule removes from dev."""
    test = pd.read_csv(metadata / "esc50" / "esc50.csv")["src_file"]
    what = "clips of a recording in FSD50K"
    dev = pd.read_csv(metadata / "fsd50k" / "dev.csv")["fname"]  # the file name in FSD50K is the Freesound id
    shared = test[test.isin(dev)]
    rows = [(f"{what} dev", "recording", len(shared), len(test))]
    other = metadata / "fsd50k" / "eval.csv"
    if other.is_file():
        rows.append((f"{what} eval", "recording", test.isin(pd.read_csv(other)["fname"]).sum(), len(test)))
    else:
        rows += pd.read_csv(HERE / "leak_counts.csv").query(f"what == '{what} eval'").iloc[:, 1:].values.tolist()
    texts = read_texts(metadata / "fsd50k" / "dev.csv")
    for rule in RULES:
        gone = texts.loc[leaks_of(texts["text"], rule)["leaks"], "row"].unique() - 1
        rows.append(("clips shared with FSD50K dev", rule, shared.isin(dev.iloc[gone]).sum(), len(shared)))
    return rows


def survivors(metadata: Path) -> pd.DataFrame:
    """For the AudioSet labels judged to survive: balanced-train segments with that label, all and after the filter."""
    segments = balanced_segments(metadata / "audioset")
    gone = segments.loc[leaks_of(segments["text"])["leaks"], "row"]
    kept = segments[~segments["row"].isin(gone)]["text"].value_counts()
    judged = pd.read_csv(HERE / "leak_judgements.csv").query("judgement in ('other form', 'other word')")["label"]
    total = segments["text"].value_counts()
    return pd.DataFrame([(x, kept.get(x, 0), total.get(x, 0)) for x in judged], columns=["label", "kept", "total"])


def overlaps(metadata: Path) -> pd.DataFrame:
    """By class of ESC-50: clips, and how many are cut from a recording of a training set.

    The sets are FSD50K dev, its part for training, and the recordings that WavCaps asks to leave out ("wavcaps_list").
    """
    clips = pd.read_csv(metadata / "esc50" / "clips.csv")
    dev = pd.read_csv(metadata / "fsd50k" / "dev.csv")
    recording, wavcaps = clips["src_file"], clips["src_in_wavcaps_freesound_blacklist"] == 1
    found = pd.DataFrame(
        {
            "class": clips["category"].str.replace("_", " "),
            "clips": True,
            "fsd50k_dev": recording.isin(dev["fname"]),
            "fsd50k_train": recording.isin(dev.loc[dev["split"] == "train", "fname"]),
            "wavcaps_list": wavcaps,
            "either": wavcaps | recording.isin(dev["fname"]),
        }
    )
    return found.groupby("class").sum().loc[leakage.load_labels("esc50")].reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds metadata/")
    metadata = parser.parse_args().data_root / "metadata"
    removed, words, classes = counts(metadata)
    tables = {"counts": removed, "words": words, "classes": classes, "survivors": survivors(metadata)}
    tables["overlaps"] = overlaps(metadata)
    for name, table in tables.items():
        table.to_csv(HERE / f"leak_{name}.csv", index=False, lineterminator="\n")
        print(f"leak_{name}.csv: {len(table)} rows")


if __name__ == "__main__":
    main()
