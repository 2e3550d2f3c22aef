"""For lecturers: a plan that adds up, slides that follow the results, homework with its key."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from browsing import ROOT

from clapleak.models import contrastive_loss


def test_the_lesson_adds_up_and_every_step_has_page_question_and_answer():
    text = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8").split("## One lesson of 90 minutes")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= 6 and all(len(row) == 4 and all(row) for row in rows)
    assert all(re.search(r"\]\([\w/-]+\.(ipynb|md)\)", row[1]) and "?" in row[2] for row in rows)
    total = sum(int(row[0]) for row in rows)
    assert f"| **{total}** |" in text and f"The steps take {total} minutes. The other {90 - total} are slack" in text
    assert text.count("\nWhy: ") == text.count(":class: dropdown") > 0  # every solution says why


def made(folder: Path, variant: int) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """The student's notebook and the key of a variant, as `make homework` leaves them."""
    command = ["make", "-f", ROOT / "Makefile", "-o", ".venv/book.stamp", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run([*command, f"VARIANT={variant}", "homework"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return tuple(nbformat.read(folder / "build" / "homework" / f"{name}.ipynb", 4) for name in ("student", "key"))


def answers(page: nbformat.NotebookNode) -> list[str]:
    """What the cells of the key print."""
    cells = [cell for cell in page.cells if "answer" in cell.metadata.get("tags", [])]
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


@pytest.mark.slow
def test_homework_has_a_computed_key_that_the_students_do_not_get(published, tmp_path, run_cells):
    place = shutil.copytree(published, tmp_path / "place")
    other = made(place, 4)[1]
    student, key = made(place, 3)
    assert len(answers(key)) == 5 and not answers(student)
    assert not any("Points:" in cell.source for cell in student.cells)
    assert all("Points:" in answer for answer in answers(key))
    assert [one == two for one, two in zip(answers(key), answers(other), strict=True)][::2] == [False, False, True]
    points = [int(n) for cell in key.cells for n in re.findall(r"^\*\*\d\. .*\((\d) points\)", cell.source, re.M)]
    page = (ROOT / "book" / "homework.md").read_text(encoding="utf-8")
    assert points == [int(n) for n in re.findall(r"^\| \d\. [^|]+\| (\d) \|", page, re.M)] and sum(points) == 20
    found = run_cells(place / "build" / "homework" / "student.ipynb", place).names  # without the cells that it lacks
    identity, scale = torch.eye(3, dtype=torch.float64), torch.tensor(-np.log(found["tau"]))
    assert f"(b) {contrastive_loss(torch.tensor(found['cosine']), identity, scale).item():.3f} " in answers(key)[0]
