"""Is a corpus complete and readable, and may training start? `clapleak data list` and `clapleak data check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import soundfile
from joblib import Parallel, delayed
from tqdm import tqdm

from clapleak.audio import SHORTEST, read
from clapleak.config import ClapleakError
from clapleak.datasets import SOURCES, data_root, find
from clapleak.datasets import read as read_tables
from clapleak.datasets.corpus import bad_rows, label_text

LISTED = 10  # problems that are named on the screen
_CHUNK = 64  # clips a task of the pool
ROW_PROBLEMS = (
    "is listed twice",
    "has an empty caption",
    "has a caption that is not text",
    "has a caption that is not UTF-8",
)


@dataclass(frozen=True)
class Report:
    """What a check found; `str` gives it as plain text.

    Attributes
    ----------
    counts : DataFrame
        Index: split. Columns `rows`, `clips` and, of the official release, `rows expected`, `clips expected`.
    problems : DataFrame
        `name` (id of a row or path of a clip), `problem`, `detail` and `level`: "row" keeps training from starting,
        "clip" is left out with --allow-missing, "note" does no harm.
    clips, from_labels : int
        Clips that were looked at; rows whose text is their labels joined, for want of a caption.
    """

    name: str
    folder: Path
    quick: bool
    counts: pd.DataFrame
    problems: pd.DataFrame
    clips: int
    from_labels: int

    def verdict(self, allow_missing: bool = False) -> tuple[bool, str]:
        """Whether training may start, and the sentence that says so."""
        rows, clips = ((self.problems["level"] == level).sum() for level in ("row", "clip"))
        if rows:
            return False, f"Training may not start: {rows} rows must be repaired in the tables first."
        if clips == self.clips:
            return False, "Training may not start: no clip can be used."
        if clips:
            with_or_without = "with" if allow_missing else "only with"
            return (
                allow_missing,
                f"Training may start {with_or_without} --allow-missing, without {clips} of {self.clips} clips.",
            )
        return True, "Training may start; no --allow-missing is needed."

    def __str__(self) -> str:
        low, high = SOURCES[self.name].seconds
        found = self.problems["problem"].value_counts()
        kinds = dict.fromkeys(["missing", "unreadable", "wrong length", *ROW_PROBLEMS, *found.index])
        captions = int(self.counts["rows"].sum()) - self.from_labels
        lines = [
            f"{self.name} in {self.folder}\n",
            self.counts.to_string(),
            f"\ntexts: {captions} captions, {self.from_labels} made of labels",
            f"sound: {self.clips} clips, {'headers read' if self.quick else 'decoded to the end'}; "
            f"lengths from {low:g} to {high:g} s are right\n",
            *(f"{found.get(kind, 0):8d}  {kind}" for kind in kinds),
        ]
        if len(self.problems):
            lines += [
                "",
                *(f"{p.name}: {p.problem} {p.detail}".rstrip() for p in self.problems[:LISTED].itertuples(index=False)),
            ]
        if len(self.problems) > LISTED:
            lines.append(f"and {len(self.problems) - LISTED} more: --output FILE writes them all")
        return "\n".join(lines)


def check(name: str, root: Path | None, split: str | None = None, *, quick: bool = False, cores: int = 1) -> Report:
    """Compare a corpus with its official release and look at every clip.

    Parameters
    ----------
    name, root, split
        As for `clapleak.datasets.load`.
    quick : bool
        Headers alone; otherwise every clip is decoded to its end, as training would.
    cores : int
        Threads that decode.

    Raises
    ------
    ClapleakError
        No such corpus or split, no official layout, a table that cannot be read, a label outside the vocabulary.
    """
    folder, source = find(name, root), SOURCES[name]
    table = read_tables(name, folder, split).table
    bad = bad_rows(table)
    rows = pd.DataFrame({"name": bad.index, "problem": bad.to_numpy(), "detail": "", "level": "row"})
    paths = table.drop_duplicates("clip")["path"].tolist()
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    done = Parallel(n_jobs=cores, prefer="threads", return_as="generator")(
        delayed(_look)(folder, chunk, source.seconds, quick) for chunk in chunks
    )
    found: list[tuple[str, str, str, str]] = []
    with tqdm(total=len(paths), desc=name, unit="clips") as bar:
        for chunk, problems in zip(chunks, done, strict=True):
            found += problems
            bar.update(len(chunk))
    expected = pd.DataFrame(source.counts, index=["rows expected", "clips expected"]).T
    if split is not None:
        expected = expected.loc[["train", "val"] if split == "dev" else [split]]
    counts = table.groupby("split")["clip"].agg(rows="size", clips="nunique")
    return Report(
        name,
        folder,
        quick,
        expected.join(counts, how="outer").fillna(0).astype(int)[["rows", "rows expected", "clips", "clips expected"]],
        pd.concat([rows, pd.DataFrame(found, columns=rows.columns)], ignore_index=True),
        len(paths),
        int((table["labels"].str.len().gt(0) & (table["text"] == label_text(table["labels"]))).sum()),
    )


def _look(folder: Path, paths: list[str], seconds: tuple[float, float], quick: bool) -> list[tuple[str, str, str, str]]:
    """Problems of some clips, as rows of `Report.problems`."""
    problems = []
    for path in paths:
        try:
            if not (folder / path).is_file():
                raise ClapleakError("missing")
            header = soundfile.info(folder / path)
            if not quick:
                read(folder / path, header.samplerate)
            elif header.duration < SHORTEST:
                raise ClapleakError(f"shorter than {SHORTEST} s")
        except (soundfile.LibsndfileError, ClapleakError) as error:
            reason = str(error) if isinstance(error, ClapleakError) else "unreadable"
            problems.append((path, reason, "", "clip"))
            continue
        if not seconds[0] <= header.duration <= seconds[1]:
            problems.append((path, "wrong length", f"({header.duration:.2f} s)", "note"))
    return problems


def overview(root: Path | None) -> str:
    """Every corpus: use, size when complete, licence, and where it was found below the data root."""
    base, lines = data_root(root), []
    for name, source in SOURCES.items():
        rows, clips = (sum(counts) for counts in zip(*source.counts.values(), strict=True))
        try:
            where = str(find(name, base)) if base else "give --data-root DIR or set CLAPLEAK_DATA to look for it"
        except ClapleakError:
            where = f"not found below {base}"
        lines += [
            f"{name:10s}{source.use}",
            f"{'':10s}{rows:,} rows, {clips:,} clips, about {source.gigabytes:,} GB",
            f"{'':10s}{source.licence}",
            f"{'':10s}{where}\n",
        ]
    return "\n".join(lines).rstrip()
