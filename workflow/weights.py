"""The weights behind published runs, to be put where others can fetch them: `python workflow/weights.py [ADDRESS]`.

Copies those of seed 0 of the six setups of `mini` into build/artefact/, with a model card, and writes their sums into
`reference/weights.csv`. Train them first: `clapleak train --setup dirty-dirty --setup dirty-clean ...`. ADDRESS is the
folder on the web that the files are put into; without it the live page does not ask for them.
"""

import csv
import hashlib
import io
import sys
from pathlib import Path

from clapleak import results, runs
from clapleak.config import ClapleakError, find_root
from clapleak.files import output_root, write
from clapleak.setups import SETUPS

PROFILE, COLUMNS = "mini", ("file", "training", "sha256", "bytes", "url")
CARD = """---
license: mit
library_name: clapleak
tags: [audio-text, zero-shot, synthetic]
---
# clapleak: seed 0 of the six setups of the profile {profile}

Small audio-text models that learnt from synthetic sounds, to be compared with each other and to teach with. They have
heard no recording, and name none rightly. Do not rest a decision on them.

What they are, what they learnt from and how well they do: the pages "Model card" and "Data card" of the book. Each
file is in safetensors format and holds what a training changes; the text encoder's frozen layers are those of
all-MiniLM-L6-v2 (Apache licence). `clapleak.runs.load_trained` opens them, for a run of the same training id.

| file | training id | SHA-256 |
|---|---|---|
{rows}
"""


def main() -> None:
    address, folder, rows = "".join(sys.argv[1:2]).rstrip("/"), output_root() / "build" / "artefact", []
    for setup in SETUPS:
        published = results.read_run(results.folder(PROFILE) / setup.slug / "seed0")
        own = results.read_run(results.own_folder(PROFILE) / setup.slug / "seed0")
        for key in ("ids", "accuracy", "silhouette"):  # the same numbers come from the same weights
            if own.metrics[key] != published.metrics[key]:
                raise ClapleakError(f"{own.path}: {key} differs from {published.path}; publish this run first")
        content, name = runs.weights(own).read_bytes(), f"{PROFILE}_{setup.slug}_seed0.safetensors"
        write(folder / name, content)
        found = name, own.metrics["ids"]["training"], hashlib.sha256(content).hexdigest(), len(content)
        rows.append((*found, address and f"{address}/{name}"))
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    write(find_root() / "reference" / "weights.csv", table.getvalue().encode())
    lines = "\n".join(f"| {row[0]} | {row[1]} | {row[2]} |" for row in rows)
    write(Path(folder, "README.md"), CARD.format(profile=PROFILE, rows=lines).encode())


if __name__ == "__main__":
    main()
