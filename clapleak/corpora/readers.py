"""Readers of the corpora in their official layouts: the root of a corpus and one of its tables in, pairs out.

The layout stands in each docstring. AudioCaps and AudioSet are parts of YouTube videos: the audio is not published and
many of the videos are gone, so missing clips are normal.
"""

import html
import json
import re
from pathlib import Path

import pandas as pd
import yaml

from clapleak.corpora.table import Corpus, audio_files, clip_paths, label_lists, pairs, read_csv
from clapleak.files import ClapleakError

ESC50_CLIPS, ESC50_CLIPS_PER_CLASS = 2000, 40
_TITLE = re.compile(r"- \[?([\w-]+?)(?:-\d+)?\.\w+\]?.*?: clip derived from (.*?) \(https?://")  # lines of LICENSE


def esc50(root: Path, source: Path) -> pd.DataFrame:
    """ESC-50 (Piczak, 2015): `meta/esc50.csv` and `audio/*.wav`. A split is a fold, "1" to "5".

    The text and the only label of a clip are the name of its class, with spaces.
    """
    table = read_csv(source, ["filename", "fold", "category", "src_file"])
    if not (root / "audio").is_dir():
        raise ClapleakError(f"{root / 'audio'}: no such folder; ESC-50 needs audio/ and meta/ below its root")
    stems, names = table["filename"].map(lambda name: Path(name).stem), table["category"].str.replace("_", " ")
    ids, clips, paths = "meta/esc50.csv: " + stems, "esc50/" + stems, clip_paths(root, "audio", stems)
    labels, recordings = names.map(lambda name: [name]), "freesound/" + table["src_file"]
    return pairs(ids, clips, paths, names, recordings, table["fold"], labels, sounds=labels, duration=5.0)


def titled(esc50: Corpus) -> Corpus:
    """The clips with the title that the recordist gave on Freesound as their caption, without the file's ending.

    The titles stand in the LICENSE file of the archive. Clips without a title that holds a letter are left out.
    """
    file = esc50.root / "LICENSE"
    if not file.is_file():
        raise ClapleakError(f"{file}: no such file; take it, with the titles, from the official archive of ESC-50")
    found = _TITLE.findall(file.read_text("utf-8", "replace"))
    titles = {clip: re.sub(r"\.\w{2,4}$", "", title) for clip, title in found}
    names = esc50.table["clip"].str.extract(r"esc50/(.*)-\d+$")[0]
    table = esc50.table.assign(text=names.map(titles).fillna(""))
    return Corpus(esc50.name, esc50.root, table).keep(table["text"].str.contains(r"[^\W\d_]"))


def clotho(root: Path, source: Path) -> pd.DataFrame:
    """Clotho 2.1 (Drossos, Lipping and Virtanen, 2020): five captions a clip.

    `clotho_audio_files/<split>/*.wav`, `clotho_csv_files/clotho_captions_<split>.csv` and, for the Freesound ids,
    `clotho_metadata_<split>.csv`. `recording` is that id; the file itself where the metadata or its id is missing.
    """
    captions, split = [f"caption_{k}" for k in range(1, 6)], source.stem.removeprefix("clotho_captions_")
    table = read_csv(source, ["file_name", *captions])
    names = table["file_name"]  # some begin or end with a blank, and so do their files
    clips = recordings = f"clotho/{split}/" + names
    metadata = source.with_name(f"clotho_metadata_{split}.csv")
    if metadata.is_file():
        uploads = read_csv(metadata, ["file_name", "sound_id"], encoding="iso-8859-1").drop_duplicates("file_name")
        ids = uploads.set_index("file_name")["sound_id"].str.strip()
        recordings = names.map("freesound/" + ids[ids.str.isdecimal()]).fillna(clips)  # some say "Not found"
    paths = clip_paths(root, f"clotho_audio_files/{split}", names.str.removesuffix(".wav"))
    parts = [pairs(f"{source.name}: {c} of " + names, clips, paths, table[c], recordings, split) for c in captions]
    return pd.concat(parts)


def audiocaps(root: Path, source: Path) -> pd.DataFrame:
    """AudioCaps, first version (Kim et al., 2019): captions of ten-second parts, one a clip in train, else five.

    `csv_files_v1/<split>.csv` and `audio_32000Hz/<split>/<youtube_id>_<start_time>.flac` or .wav.
    """
    table = read_csv(source, ["audiocap_id", "youtube_id", "start_time", "caption"])
    ids, split = f"{source.name}: audiocap_id " + table["audiocap_id"], source.stem
    stems, recordings = table["youtube_id"] + "_" + table["start_time"], "youtube/" + table["youtube_id"]
    paths = clip_paths(root, f"audio_32000Hz/{split}", stems, ".flac")
    # ten seconds at most: some videos end earlier
    return pairs(ids, "audiocaps/" + stems, paths, table["caption"], recordings, split, duration=10.0)


def macs(root: Path, source: Path) -> pd.DataFrame:
    """MACS (Martin and Mesaros, 2021): captions of ten-second city scenes out of TAU Urban Acoustic Scenes 2019.

    `MACS.yaml` and `audio/*.wav`; one split, "all". The paper does not use `MACS_competence.csv` (of the annotators).
    Two to five captions a clip; `labels` are the tags of the caption's annotator, `recording` is the TAU file.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C is ten times as fast
    try:
        captions = [
            (str(item["filename"]), number, annotation["sentence"], [str(tag) for tag in annotation["tags"] or ()])
            for item in yaml.load(source.read_text("utf-8-sig", "replace"), loader)["files"]
            for number, annotation in enumerate(item["annotations"], start=1)
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = f"not the YAML of MACS ({type(error).__name__}: {' '.join(str(error).split())})"
        raise ClapleakError(f"{source}: {reason}; it has files of filename, annotations, sentence and tags") from error
    table = pd.DataFrame(captions, columns=["name", "number", "text", "tags"])
    stems, number = table["name"].str.removesuffix(".wav"), table["number"].astype(str)
    ids, paths = "MACS.yaml: caption " + number + " of " + table["name"], clip_paths(root, "audio", stems)
    return pairs(ids, "macs/" + stems, paths, table["text"], "tau/" + stems, "all", table["tags"], duration=10.0)


def fsd50k(root: Path, source: Path) -> pd.DataFrame:
    """FSD50K (Fonseca et al., 2022): labelled clips of Freesound.

    `FSD50K.{dev,eval}_audio/*.wav`, `FSD50K.ground_truth/{dev,eval,vocabulary}.csv` and, for captions,
    `FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json`. The splits of dev.csv are "train" and "val".

    `text` is the title and description of the upload, without markup and addresses; where both are empty or the
    metadata is not there, it is the labels joined (`clapleak data check` counts both). `labels` are spelled as in the
    vocabulary, with spaces for underscores. `recording` is the Freesound id, which is the file's name.
    """
    part = source.stem
    table = read_csv(source, ["fname", "labels", *(["split"] if part == "dev" else [])])
    vocabulary = read_csv(source.with_name("vocabulary.csv"), ["label"], header=None, names=["index", "label", "mid"])
    labels = label_lists(table["labels"], {name: name.replace("_", " ") for name in vocabulary["label"]}, source)
    fname, split = table["fname"], table["split"] if part == "dev" else part
    text = _descriptions(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json", fname)
    text = text.where(text != "", labels.str.join(", "))
    ids, paths = f"{source.name}: " + fname, clip_paths(root, f"FSD50K.{part}_audio", fname)
    return pairs(ids, "fsd50k/" + fname, paths, text, "freesound/" + fname, split, labels)


def _descriptions(path: Path, fname: pd.Series) -> pd.Series:
    """Title and description of each clip of FSD50K, "" where there is neither."""
    if not path.is_file():
        return pd.Series("", fname.index)
    try:
        info = pd.DataFrame.from_dict(json.loads(path.read_text("utf-8", "replace")), orient="index")
    except (ValueError, TypeError, AttributeError) as error:
        raise ClapleakError(f"{path}: not the clip information of FSD50K ({error}); fetch it again") from error
    info = info.reindex(index=fname, columns=["title", "description"]).fillna("").astype(str).set_axis(fname.index)
    title = info["title"].str.replace(r"\.(?:wav|aiff?|flac|ogg|mp3|m4a)$", "", case=False, regex=True)
    text = (title.str.replace("_", " ") + ". ").where(title.str.strip() != "", "") + info["description"]
    text = text.map(html.unescape).str.replace(r"<[^>]*>|https?://\S+|www\.\S+", " ", regex=True)
    return text.str.split().str.join(" ")


def audioset(root: Path, source: Path) -> pd.DataFrame:
    """AudioSet (Gemmeke et al., 2017): labels of ten-second segments; `text` is the labels' names joined.

    `class_labels_indices.csv`, `<split>_segments.csv` and the audio: `<ytid>.wav`, `<ytid>.flac` or `Y<ytid>.wav`,
    anywhere below `audio/`, `audios/` or `<split>/`. Start and end in the table are places in the video; the file holds
    the segment alone, so `offset` is 0.
    """
    classes = read_csv(root / "class_labels_indices.csv", ["mid", "display_name"])
    columns, split = ["ytid", "start", "end", "mids"], source.stem.removesuffix("_segments")
    table = read_csv(source, columns, header=None, names=columns, comment="#", skipinitialspace=True)
    ytid, start, end = table["ytid"], *(pd.to_numeric(table[c], errors="coerce") for c in ("start", "end"))
    wrong = ~(end > start)  # also where one is no number
    if wrong.any():
        raise ClapleakError(f"{source}: segment {ytid[wrong.idxmax()]} does not end after its start; fetch it again")
    labels = label_lists(table["mids"], dict(zip(classes["mid"], classes["display_name"], strict=True)), source)
    files = audio_files(root, "audio", "audios", split)
    paths = ytid.map(files).astype(object).fillna(("Y" + ytid).map(files)).fillna(f"audio/{split}/" + ytid + ".wav")
    clips, recordings, seconds = "audioset/" + ytid, "youtube/" + ytid, end - start
    return pairs(ytid, clips, paths, labels.str.join(", "), recordings, split, labels, duration=seconds)
