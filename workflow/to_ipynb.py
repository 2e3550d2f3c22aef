"""Write the notebooks as .ipynb, for Jupyter and for papermill without the command `clapleak`.

python workflow/to_ipynb.py build/notebooks
papermill build/notebooks/setup.ipynb out.ipynb -p pretraining dirty -p training clean
"""

import ast
import sys
from pathlib import Path

import nbformat

from clapleak.book import execute
from clapleak.config import find_root
from clapleak.files import write

# Papermill hands a notebook any name; this cell stands behind the one that it writes.
CHECK = """\
import ast
given = [node for cell in In if cell.startswith("# Parameters\\n") for node in ast.parse(cell).body]
if unknown := {{ast.unparse(node.targets[0]) for node in given}}.difference(known := {known}):
    from clapleak.config import ClapleakError
    raise ClapleakError(f"unknown parameters: {{', '.join(sorted(unknown))}}; known: {{', '.join(known)}}")"""


def main(folder: Path) -> None:
    root = find_root()
    for notebook in sorted((root / "notebooks").glob("*.py")):
        draft = execute.draft_of(notebook, {}, root)
        number = next(number for number, cell in enumerate(draft.cells) if execute.has_tag(cell, "parameters"))
        values = ast.parse(draft.cells[number].source).body
        check = CHECK.format(known=[ast.unparse(one.targets[0]) for one in values if isinstance(one, ast.Assign)])
        draft.cells.insert(number + 1, nbformat.v4.new_code_cell(check, metadata={"tags": ["remove-cell"]}))
        write(folder / f"{notebook.stem}.ipynb", nbformat.writes(draft).encode())
    print(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
