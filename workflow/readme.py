"""Write what the README computes: the finding, its figure, the table of results, the table of costs.

python workflow/readme.py
"""

import re
from pathlib import Path

import matplotlib
import pandas as pd

from clapleak import results
from clapleak.book import figures, ladder, tables
from clapleak.book.statistics import estimate, of
from clapleak.config import find_root
from clapleak.files import atomic_file, write

PROFILES = {
    "real networks on ESC-50": "networks",
    "the same, titles as captions": "networks-titles",
    "synthetic sounds": "mini",
    "small network on ESC-50": "esc50",
}
ALONE = {"captions alone": ("clean-dirty", "clean-clean"), "pre-training alone": ("dirty-clean", "clean-clean")}
FIGURE = "book/_static/finding.svg"


def finding() -> str:
    """The result of the real networks in one sentence."""
    runs = results.table(results.folder("networks"))
    accuracy = tables.by_setup(runs, "accuracy")
    both, labels, neither = (estimate(accuracy, of(slug)) for slug in ("dirty-dirty", "dirty-clean", "clean-clean"))
    return (
        f"**On real sounds, networks that others trained reach an accuracy of {both} while the captions they learn "
        f"from name the classes, {labels} when no caption does, and {neither} when their pre-training had no labels "
        f"either; guessing gives {runs['chance'].mean():.2f}.**"
    )


def results_table() -> pd.DataFrame:
    """Accuracy of the six setups, and what each leak is worth alone: a column for the paper and one a profile."""
    paper = tables.printed("accuracy")
    shown = pd.DataFrame({"paper": paper.map("{:.2f}".format)})
    for name, (leak, clean) in ALONE.items():
        shown.loc[name, "paper"] = f"{paper[leak] - paper[clean]:+.2f}"
    for title, profile in PROFILES.items():
        runs = results.table(results.folder(profile))
        accuracy = tables.by_setup(runs, "accuracy")
        for slug in tables.SLUGS:
            shown.loc[slug, title] = str(estimate(accuracy[[slug]], of(slug)))
        for name, (leak, clean) in ALONE.items():
            worth = estimate(accuracy, of(leak, clean))
            shown.loc[name, title] = f"{worth:+}, {worth.words('above 0', 'below 0', 'undecided')}"
        shown.loc["guessing", title] = f"{runs['chance'].mean():.2f}"
    return shown.fillna("").rename_axis("pre-training-training")


def costs() -> pd.DataFrame:
    """What was measured of reference/costs.csv."""
    table = pd.read_csv(find_root() / "reference" / "costs.csv", dtype=str, keep_default_na=False)
    columns = ["what", "minutes", "memory (GB)", "disk (GB)", "machine", "date"]
    return table[table["measured"] == "yes"][columns].set_index("what")


def markdown(table: pd.DataFrame) -> str:
    """A table as GitHub shows it."""
    lines = [[table.index.name, *table], ["---"] * (1 + table.shape[1]), *map(list, table.itertuples())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(text: str) -> str:
    """The README with its computed parts."""
    parts = {"finding": finding(), "results": markdown(results_table()), "costs": markdown(costs())}
    for name, content in parts.items():
        pattern = rf"<!-- {name} -->.*?<!-- /{name} -->"
        text, count = re.subn(pattern, lambda _: f"<!-- {name} -->\n{content}\n<!-- /{name} -->", text, flags=re.S)  # noqa: B023
        if count != 1:
            raise ValueError(f"README.md: {count} places for {name}")
    return text


def draw(path: Path) -> None:
    """The figure of the finding, the same file in every run."""
    runs = results.table(results.folder("networks"))
    found = ladder.by_captions(tables.by_setup(runs, "accuracy"))
    figure = figures.ladder(found, chance=runs["chance"].mean())
    figure.patch.set_facecolor("white")  # also where the page around it is dark
    with matplotlib.rc_context({"svg.hashsalt": "clapleak", "svg.fonttype": "path"}), atomic_file(path) as file:
        figure.savefig(file, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    readme = find_root() / "README.md"
    text = filled(readme.read_text(encoding="utf-8"))
    write(readme, text.encode())
    draw(find_root() / FIGURE)
