"""Is a corpus complete and readable, and may training start? `clapleak data list` and `clapleak data check`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from clapleak import corpora
from clapleak.config import ClapleakError
from clapleak.corpora import SOURCES

LISTED = 10  # problems that are named on the screen
_USUAL = ("missing", "unreadable", "wrong length", "is listed twice", "has an empty caption")  # counted even if 0


@dataclass(frozen=True)
class Check:
    """What a corpus lacks beside its official release; `str` gives it as plain text."""

    title: str
    counts: pd.DataFrame  # a row a split: `rows`, `clips` and those of the release, `rows expected`, `clips expected`
    clips: int  # that were looked at
    from_labels: int  # rows whose text is their labels joined, for want of a caption
    problems: pd.DataFrame  # `name` of a row or file, `problem`, `detail`, and `level`: a "row" keeps training from
    # starting, a "clip" is left out with --allow-missing, a "note" does no harm

    def verdict(self, allow_missing: bool = False) -> tuple[bool, str]:
        """Whether training may start, and the sentence that says so."""
        rows, clips = (int((self.problems["level"] == level).sum()) for level in ("row", "clip"))
        there, release = self.counts[["rows", "rows expected"]].min(axis=1).sum(), self.counts["rows expected"].sum()
        but = f", but {there} of {release} rows of the release are there" if there < release else ""
        if rows or clips == self.clips:
            reason = f"{rows} rows must be repaired first" if rows else "no clip can be used"
            return False, f"Training may not start: {reason}."
        if clips:
            word = "with" if allow_missing else "only with"
            sentence = f"Training may start {word} --allow-missing, without {clips} of {self.clips} clips{but}."
            return allow_missing, sentence
        return True, f"Training may start{but}; --allow-missing is not needed."

    def __str__(self) -> str:
        captions, more = self.counts["rows"].sum() - self.from_labels, len(self.problems) - LISTED
        texts = f"{captions} texts are captions, {self.from_labels} are labels joined"
        numbers = dict.fromkeys(_USUAL, 0) | self.problems["problem"].value_counts().to_dict()
        lines = [self.title, "", self.counts.to_string(), "", texts, ""]
        lines += [f"{number:8d}  {problem}" for problem, number in numbers.items()] + [""]
        lines += [f"{row.name}: {row.problem} {row.detail}".strip() for row in self.problems[:LISTED].itertuples(False)]
        return "\n".join(lines + [f"and {more} more: --output FILE writes them all"] * (more > 0)).rstrip()


def check(name: str, root: Path | None, split: str | None = None, *, quick: bool = False, cores: int = 1) -> Check:
    """Compare a corpus with its official release and look at every clip.

    Parameters
    ----------
    name, root, split : as for `corpora.load`, and so are the errors that it raises for tables that cannot be read
    quick, cores : headers alone, else every clip is decoded to its end, as training would; threads that decode
    """
    from joblib import Parallel, delayed  # of the extra train

    folder, source = corpora.find(name, root), SOURCES[name]
    table = corpora.read(name, folder, split).table
    paths = table.drop_duplicates("clip")["path"]
    workers = Parallel(n_jobs=cores, prefer="threads", return_as="generator", batch_size=64)
    looks = workers(delayed(_look)(folder, path, source.seconds, quick) for path in paths)
    problems = [(row, reason, "", "row") for row, reason in corpora.bad_rows(table).items()]
    problems += filter(None, tqdm(looks, name, len(paths), unit=" clips"))
    counts = pd.DataFrame(source.counts, index=["rows expected", "clips expected"]).T.loc[source.splits(split)]
    counts = counts.join(table.groupby("split")["clip"].agg(rows="size", clips="nunique"), how="outer")
    how = "headers read" if quick else "decoded to the end"
    return Check(
        f"{name} in {folder}, {how}; clips of {source.seconds[0]:g} to {source.seconds[1]:g} s are right",
        counts.fillna(0).astype(int)[["rows", "rows expected", "clips", "clips expected"]],
        len(paths),
        int((table["labels"].str.len().gt(0) & (table["text"] == table["labels"].str.join(", "))).sum()),
        pd.DataFrame(problems, columns=["name", "problem", "detail", "level"]),
    )


def _look(folder: Path, path: str, seconds: list[float], quick: bool) -> tuple[str, str, str, str] | None:
    """The problem of a clip, as a row of `Check.problems`; None for a right one."""
    from clapleak import audio  # of the extra train as well

    try:
        if not (folder / path).is_file():
            return path, "missing", "", "clip"
        length = audio.soundfile.info(folder / path).duration
        if not quick:
            wave, rate = audio.samples(folder / path)
            length = len(wave) / rate
        elif length < audio.SHORTEST:
            return path, f"shorter than {audio.SHORTEST} s", "", "clip"
    except (ClapleakError, RuntimeError) as error:  # soundfile raises the second
        return path, str(error) if isinstance(error, ClapleakError) else "unreadable", "", "clip"
    right = seconds[0] <= length <= seconds[1]
    return None if right else (path, "wrong length", f"({length:.2f} s)", "note")


def overview(root: Path | None) -> str:
    """Every corpus: use, size when complete, licence, and where it lies below the data root."""
    paragraphs = []
    for name, source in SOURCES.items():
        rows, clips = map(sum, zip(*source.counts.values(), strict=True))
        try:
            where = f"found in {corpora.find(name, root)}"
        except ClapleakError:
            base = corpora.data_root(root)
            where = f"not found below {base}" if base else "--data-root DIR says where to look"
        size = f"{rows:,} rows, {clips:,} clips, about {source.gigabytes:,} GB"
        paragraphs.append(f"\n{'':12s}".join([f"{name:12s}{source.use}", size, source.licence, where]))
    return "\n\n".join(paragraphs)
