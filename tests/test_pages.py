"""Equal runs give equal pages."""

from pathlib import Path

import nbformat
import pandas as pd

from clapleak import pages
from clapleak.pages import normalise


def page(table_id: str, address: str) -> nbformat.NotebookNode:
    """A page with all that differs from run to run: ids, counts, addresses, progress lines, the project's path."""
    style = pd.DataFrame({"a": [1]}).style.set_uuid(table_id)
    shown = nbformat.v4.new_output(
        "execute_result", {"text/html": style.to_html(), "text/plain": f"<Styler at 0x{address}>"}, execution_count=7
    )
    progress = nbformat.v4.new_output("stream", name="stderr", text=f"epoch {address}\n")
    said = nbformat.v4.new_output("stream", name="stdout", text=f"/home/{address}/project/results: no results\n")
    cell = nbformat.v4.new_code_cell(
        "table", outputs=[progress, said, shown], metadata={"papermill": {"time": address}}
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    normalise(notebook, Path(f"/home/{address}/project"))
    return notebook


def test_two_runs_give_the_same_page():
    first, second = page("1a2b3", "7f28"), page("c0ffe", "55d0")
    assert nbformat.writes(first) == nbformat.writes(second)
    outputs = first.cells[0].outputs
    assert [output.output_type for output in outputs] == ["stream", "execute_result"]
    assert outputs[0].text == "results: no results\n"
    assert "T_0_row0_col0" in outputs[1].data["text/html"] and outputs[1].execution_count == 1


def test_other_words_are_left_alone():
    cell = nbformat.v4.new_code_cell(
        "x", outputs=[nbformat.v4.new_output("display_data", {"text/html": "<p>T_maximum</p>"})]
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    normalise(notebook, Path("/project"))
    assert "T_maximum" in notebook.cells[0].outputs[0].data["text/html"]


def test_the_build_makes_the_sounds_that_pages_offer_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_mp3", lambda path: path.encode())
    monkeypatch.setenv("CLAPLEAK_PAGE", "1")
    player = pages.player("foley@0/dog/7", title="a dog")
    clips = '["foley@0/hand saw/1","foley@0/cat+dog/2","esc50/4-1-A-5"]'
    data = f'<script type="application/json">[{{"clips":{clips}}}]</script>'
    outputs = [nbformat.v4.new_output("display_data", {"text/html": text}) for text in (player, data)]
    source = 'player(f"foley@0/{name}/1")'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, outputs=outputs)])
    (tmp_path / "page.ipynb").write_text(nbformat.writes(notebook))
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "stale.mp3").write_bytes(b"")
    assert pages.write_media(tmp_path, folder) == 3
    found = {file.name: file.read_text() for file in folder.iterdir()}
    assert found == {
        "foley-0-dog-7.mp3": "foley@0/dog/7",
        "foley-0-hand-saw-1.mp3": "foley@0/hand saw/1",
        "foley-0-cat-dog-2.mp3": "foley@0/cat+dog/2",
    }
