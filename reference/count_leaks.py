"""Count what the leak filter does to the real corpora, from their public tables; no sound is needed.

Run `python reference/count_leaks.py --data-root DIR`, where `DIR/metadata` holds one folder a corpus: clotho, audiocaps
fsd50k, audioset and esc50. It writes leak_counts.csv, leak_words.csv and leak_survivors.csv beside this file. Captions
stay where they are; only counts are written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from clapleak import leakage

HERE = Path(__file__).parent


def balanced_segments(folder: Path) -> pd.DataFrame:
    """Columns `row`, one a segment of AudioSet's balanced training set, and `text`, one of its labels."""
    names = pd.read_csv(folder / "class_labels_indices.csv").set_index("mid")["display_name"]
    path = folder / "balanced_train_segments.csv"
    mids = pd.read_csv(path, comment="#", header=None, skipinitialspace=True)[3].str.split(",").explode()
    return pd.DataFrame({"row": mids.index, "text": mids.map(names).to_numpy()})


def corpora(metadata: Path) -> dict[tuple[str, str], pd.DataFrame]:
    """Corpus and unit of counting -> columns `row`, the unit, and `text`, one of its texts."""
    clips = leakage.read_texts(metadata / "clotho" / "clotho_captions_development.csv")
    return {
        ("AudioCaps", "train captions"): leakage.read_texts(metadata / "audiocaps" / "train.csv"),
        ("Clotho", "development captions"): clips.assign(row=range(len(clips))),
        ("Clotho", "development clips"): clips,
        ("FSD50K", "dev clips"): leakage.read_texts(metadata / "fsd50k" / "dev.csv"),
        ("AudioSet", "labels"): leakage.read_texts(metadata / "audioset" / "class_labels_indices.csv"),
        ("AudioSet", "balanced-train segments"): balanced_segments(metadata / "audioset"),
    }


def leaks_of(texts: pd.Series, rule: str = "word") -> pd.DataFrame:
    """`find_leaks` for the names of ESC-50, each different text searched once."""
    unique = texts.drop_duplicates()
    found = leakage.find_leaks(unique, leakage.load_labels("esc50"), rule)
    return found.set_index(unique.to_numpy()).loc[texts].set_index(texts.index)


def counts(metadata: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Removed units by corpus and rule; and, by the paper's rule, units with a word and units with no other word."""
    removed, words = [], []
    for (corpus, what), texts in corpora(metadata).items():
        leaks = {rule: leaks_of(texts["text"], rule) for rule in leakage.RULES}
        for rule, found in leaks.items():
            gone = texts.loc[found["leaks"], "row"].nunique()
            removed.append((corpus, what, rule, gone, texts["row"].nunique()))
        found = leaks["word"].assign(row=texts["row"]).explode("words")
        found = found.dropna(subset="words")[["row", "words"]].drop_duplicates()
        alone = found[~found["row"].duplicated(keep=False)]["words"].value_counts()
        table = found["words"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        words += [(corpus, what, word, count, int(alone.get(word, 0))) for word, count in table.items()]
    test = pd.read_csv(metadata / "esc50" / "esc50.csv")["src_file"]
    for split in ("dev", "eval"):
        if (metadata / "fsd50k" / f"{split}.csv").is_file():  # the file name in FSD50K is the Freesound id
            shared = test.isin(pd.read_csv(metadata / "fsd50k" / f"{split}.csv")["fname"])
            removed.append(("ESC-50", f"clips of a recording in FSD50K {split}", "recording", shared.sum(), len(test)))
    return (
        pd.DataFrame(removed, columns=["corpus", "what", "rule", "removed", "total"]),
        pd.DataFrame(words, columns=["corpus", "what", "word", "count", "alone"]),
    )


def survivors(metadata: Path) -> pd.DataFrame:
    """For the AudioSet labels judged to survive: balanced-train segments with that label, all and after the filter."""
    segments = balanced_segments(metadata / "audioset")
    gone = segments.loc[leaks_of(segments["text"])["leaks"], "row"]
    kept = segments[~segments["row"].isin(gone)]["text"].value_counts()
    judged = pd.read_csv(HERE / "leak_judgements.csv").query("judgement != 'false hit'")["label"]
    total = segments["text"].value_counts()
    return pd.DataFrame([(x, kept.get(x, 0), total.get(x, 0)) for x in judged], columns=["label", "kept", "total"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds metadata/")
    metadata = parser.parse_args().data_root / "metadata"
    removed, words = counts(metadata)
    for name, table in (("leak_counts", removed), ("leak_words", words), ("leak_survivors", survivors(metadata))):
        table.to_csv(HERE / f"{name}.csv", index=False, lineterminator="\n")
        print(f"{name}.csv: {len(table)} rows")


if __name__ == "__main__":
    main()
