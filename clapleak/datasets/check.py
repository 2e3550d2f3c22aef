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
from clapleak.datasets import SOURCES, bad_rows, data_root, find
from clapleak.datasets import read as read_corpus
from clapleak.datasets.corpus import label_text

LISTED = 10  # problems that are named on the screen
_CHUNK = 64  # clips a task of the pool


@dataclass(frozen=True)
class Report:
    """What a check found; `str` gives it as plain text.

    Attributes
    ----------
    title : str
    counts : DataFrame
        A row a split: `rows`, `clips` and those of the official release, `rows expected`, `clips expected`.
    clips, from_labels : int
        Clips that were looked at; rows whose text is their labels joined, for want of a caption.
    problems : DataFrame
        `name` (of a row or file), `problem`, `detail`, and `level`: a "row" keeps training from starting, a "clip" is
        left out with --allow-missing, a "note" does no harm.
    """

    title: str
    counts: pd.DataFrame
    clips: int
    from_labels: int
    problems: pd.DataFrame

    def verdict(self, allow_missing: bool = False) -> tuple[bool, str]:
        """Whether training may start, and the sentence that says so."""
        rows, clips = (int((self.problems["level"] == level).sum()) for level in ("row", "clip"))
        if rows or clips == self.clips:
            reason = f"{rows} rows must be repaired first" if rows else "no clip can be used"
            return False, f"Training may not start: {reason}."
        if clips:
            word = "with" if allow_missing else "only with"
            return allow_missing, f"Training may start {word} --allow-missing, without {clips} of {self.clips} clips."
        return True, "Training may start; --allow-missing is not needed."

    def __str__(self) -> str:
        shown, more = self.problems[:LISTED], len(self.problems) - LISTED
        found = self.problems["problem"].value_counts().to_dict()
        usual = dict.fromkeys(("missing", "unreadable", "wrong length", "is listed twice", "has an empty caption"), 0)
        texts = (
            f"{self.counts['rows'].sum() - self.from_labels} texts are captions, {self.from_labels} are labels joined"
        )
        lines = [self.title, "", self.counts.to_string(), "", texts, ""]
        lines += [f"{count:8d}  {problem}" for problem, count in {**usual, **found}.items()]
        lines += ["", *(f"{p.name}: {p.problem} {p.detail}".strip() for p in shown.itertuples(index=False))]
        return "\n".join(lines + [f"and {more} more: --output FILE writes them all"] * (more > 0)).rstrip()


def check(name: str, root: Path | None, split: str | None = None, *, quick: bool = False, cores: int = 1) -> Report:
    """Compare a corpus with its official release and look at every clip.

    Parameters
    ----------
    name, root, split
        As for `clapleak.datasets.load`, and so are the errors that it raises for tables that cannot be read.
    quick : bool
        Headers alone; otherwise every clip is decoded to its end, as training would.
    cores : int
        Threads that decode.
    """
    folder, source = find(name, root), SOURCES[name]
    table = read_corpus(name, folder, split).table
    bad = bad_rows(table)
    rows = pd.DataFrame({"name": bad.index, "problem": bad.to_numpy(), "detail": "", "level": "row"})
    paths = table.drop_duplicates("clip")["path"].tolist()
    tasks = (delayed(_look)(folder, paths[i : i + _CHUNK], source.seconds, quick) for i in range(0, len(paths), _CHUNK))
    found: list[tuple[str, str, str, str]] = []
    with tqdm(total=len(paths), desc=name, unit=" clips") as bar:
        for problems in Parallel(n_jobs=cores, prefer="threads", return_as="generator")(tasks):
            found += problems
            bar.update(min(_CHUNK, len(paths) - bar.n))
    counts = pd.DataFrame(source.counts, index=["rows expected", "clips expected"]).T
    if split is not None:
        counts = counts.loc[["train", "val"] if split == "dev" else [split]]
    counts = counts.join(table.groupby("split")["clip"].agg(rows="size", clips="nunique"), how="outer")
    columns = ["rows", "rows expected", "clips", "clips expected"]
    return Report(
        f"{name} in {folder}, {'headers read' if quick else 'decoded to the end'}; "
        f"clips of {source.seconds[0]:g} to {source.seconds[1]:g} s are right",
        counts.fillna(0).astype(int)[columns],
        len(paths),
        int((table["labels"].str.len().gt(0) & (table["text"] == label_text(table["labels"]))).sum()),
        pd.concat([rows, pd.DataFrame(found, columns=rows.columns)], ignore_index=True),
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
            if not seconds[0] <= header.duration <= seconds[1]:
                problems.append((path, "wrong length", f"({header.duration:.2f} s)", "note"))
        except soundfile.LibsndfileError:
            problems.append((path, "unreadable", "", "clip"))
        except ClapleakError as error:
            problems.append((path, str(error), "", "clip"))
    return problems


def overview(root: Path | None) -> str:
    """Every corpus: use, size when complete, licence, and where it was found below the data root."""
    lines = []
    for name, source in SOURCES.items():
        rows, clips = map(sum, zip(*source.counts.values(), strict=True))
        size = f"{rows:,} rows, {clips:,} clips, about {source.gigabytes:,} GB"
        try:
            where = f"found in {find(name, root)}"
        except ClapleakError:
            where = f"not found below {data_root(root)}" if data_root(root) else "--data-root DIR says where to look"
        lines += [f"{name:12s}{source.use}", *(f"{'':12s}{line}" for line in (size, source.licence, where)), ""]
    return "\n".join(lines).rstrip()
