"""The book's pages: whole, as their notebooks are now, strictly built, and at home on Colab and Binder."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import yaml
from browsing import EXECUTED, PAGES, ROOT, html_folder
from IPython.core.interactiveshell import InteractiveShell

from clapleak import identity
from clapleak.book import execute, site
from clapleak.cli import main
from clapleak.config import ClapleakError

BOOK = ROOT / "book"
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
MACHINE = re.compile(re.escape(str(ROOT)) + r"|/home/|/root/|/tmp/|/Users/|/usr/|[A-Z]:\\\\|site-packages")
AGAIN = "the notebook or the settings changed: execute the page again with `clapleak reproduce`"


def test_settings_give_no_key_twice_and_execute_nothing():
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    keys, config = re.findall(r"^(\w+):", text, re.M), yaml.safe_load(text)
    assert len(keys) == len(set(keys))  # of two keys Jupyter Book would silently take the second one
    assert config["execute"]["execute_notebooks"] == "off"  # quoted: a bare off is the boolean false


@pytest.mark.parametrize("name", EXECUTED)
def test_page_ran_without_error_and_is_that_of_the_present_notebook(name):
    path = BOOK / "pages" / f"{name}.ipynb"
    assert path.is_file(), f"{path.name} is missing: make it with `clapleak reproduce`"
    page, job = nbformat.read(path, 4), next(job for job in execute.jobs(path.parent, ROOT) if job[1] == path)
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs and [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in outputs:
        assert output.output_type != "error" and output.get("name") != "stderr"
        data = output.get("data", {})  # a figure without `%matplotlib inline` is only its name
        assert "image/png" in data or not data.get("text/plain", "").startswith("<Figure")
        texts = [output.get("text", ""), *(data[mime] for mime in data if mime.startswith("text/"))]
        assert not [match[0] for text in texts for match in MACHINE.finditer(re.sub(r"base64,[\w+/=]+", "", text))]
    draft = execute.draft_of(job[0], job[2], ROOT)  # with the cell for Colab
    shown = [cell for cell in page.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for cell in code:
        if "title" in cell.metadata.get("tags", []):
            draft.cells[0].source = cell.outputs[0].data["text/markdown"]
    assert [cell.source for cell in shown] == [cell.source for cell in draft.cells], AGAIN


def test_every_page_has_a_title_of_its_own():
    titles = [nbformat.read(BOOK / "pages" / f"{name}.ipynb", 4).cells[0].source.splitlines()[0] for name in EXECUTED]
    assert len(set(titles)) == len(titles) and all(re.match("# .", title) for title in titles)
    assert "# Setup clean-dirty" in titles


@pytest.mark.slow  # builds the book
@pytest.mark.parametrize("name", PAGES)
def test_page_is_built_strictly_with_buttons_that_lead_to_it(name):
    html = (html_folder() / f"{name}.html").read_text(encoding="utf-8")
    for sign in ("unknown document", 'class="problematic"', "{glue:", "{{", "{ref}", "{cite", "{doc}", "google.colab"):
        assert sign not in html, sign
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img\b[^>]*>", html))
    if name.startswith("pages/"):
        owner, branch = REPOSITORY["url"].removeprefix("https://github.com/"), REPOSITORY["branch"]
        assert f'href="https://colab.research.google.com/github/{owner}/blob/{branch}/book/{name}.ipynb"' in html
        assert f'href="https://mybinder.org/v2/gh/{owner}/{branch}?urlpath=lab/tree/book/{name}.ipynb"' in html


@pytest.mark.slow
def test_api_pages_show_parameters_and_errors_of_our_own():
    pages = {name: (html_folder() / f"{name}.html").read_text(encoding="utf-8") for name in PAGES if "api_" in name}
    texts = {name: re.sub(r"<[^>]+>", "", page) for name, page in pages.items()}
    for text in (
        r"find_leaks\(texts: Iterable\[str\], labels: Collection\[str\].*?Parameters:\s+texts\w.*?\s+labels, rule"
        r".*?Returns:\s+DataFrame\w.*?Examples\s+&gt;&gt;&gt; find_leaks",
        r"corpora\.load\(.*?Parameters:\s+namestr, .*?\s+rootpath, .*?\s+splitstr, .*?Raises:\s+ClapleakErrorFor an "
        r"unknown .*?row that is listed twice",
    ):
        assert re.search(text, texts["api_data"], re.S)
    assert "Projection(dim_in: int, dim_out: int, dropout: float)" in texts["api_models"]  # though its base is mocked
    assert "zero_shot_accuracy(audio_emb: ArrayLike," in texts["api_results"]
    assert not [name for name, text in texts.items() if "kwargs: Any" in text or "system-message" in pages[name]]


def test_a_user_s_book_is_built_from_other_pages_and_leaves_the_sources_alone(tmp_path):
    """Jupyter Book itself is not called: the published book's build is strict, and the sources are the same."""
    root = tmp_path / "project"
    for folder, text in (("book", "published"), ("build", "mine")):
        (root / folder / "pages").mkdir(parents=True)
        (root / folder / "pages" / "intro.ipynb").write_text(text)
    (root / "book" / "_toc.yml").write_text("root: pages/intro\nparts: [{chapters: [{file: run}]}]")
    (root / "book" / "run.md").write_text("```{literalinclude} ../profiles/mini.yaml\n```\n[up](../LICENSE)")
    made = site._assembled(root / "build" / "pages", root, root / "build" / "book")
    assert (made / "pages" / "intro.ipynb").read_text() == "mine"
    assert (made / "run.md").read_text() == "```{literalinclude} ../../profiles/mini.yaml\n```\n[up](../LICENSE)"
    assert (root / "book" / "pages" / "intro.ipynb").read_text() == "published"
    for content, fault in ((b"mine", "intro.ipynb: damaged"), (bytes(range(256)), "damaged"), (None, "missing: intro")):
        (root / "build" / "pages" / "intro.ipynb").unlink()
        if content:
            (root / "build" / "pages" / "intro.ipynb").write_bytes(content)
        with pytest.raises(ClapleakError, match=fault):  # before anything is built
            site.build(root / "build" / "pages", root / "build" / "html", root)
    assert not (root / "build" / "html").exists()


@pytest.mark.parametrize("code", [0, 1])
def test_what_jupyter_book_prints_is_shown_only_where_it_fails(code, tmp_path, monkeypatch, capfd):
    """A script in its place prints a line to each stream and ends with an exit code."""
    root, script = tmp_path / "project", tmp_path / "bin" / "jupyter-book"
    (root / "book" / "pages").mkdir(parents=True)
    (root / "book" / "_toc.yml").write_text("root: pages/intro")
    nbformat.write(nbformat.v4.new_notebook(), root / "book" / "pages" / "intro.ipynb")
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nmkdir -p _build/html; echo paste this line; echo WARNING: why >&2; exit {code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script.parent / "python"))
    monkeypatch.chdir(tmp_path)
    if code:
        with pytest.raises(ClapleakError, match="the book did not build; the lines above"):
            site.build(root / "book" / "pages", tmp_path / "html", root)
    else:
        site.build(root / "book" / "pages", tmp_path / "html", root)
        assert "pages/intro.html" in (tmp_path / "html" / "index.html").read_text()
    printed = ["paste this line", "WARNING: why", ""] if code else []
    ours = ["book: building 1 executed pages and the prose", "book: 0 sounds"]
    assert capfd.readouterr().err.splitlines() == [*ours, *printed]


def test_the_build_makes_the_sounds_that_pages_offer_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "_mp3", lambda path: path.encode())
    monkeypatch.setenv("CLAPLEAK_PAGE", "1")
    clips = '["foley@0/hand saw/1","foley@0/cat+dog/2","esc50/4-1-A-5"]'
    data = f'<script type="application/json">[{{"clips":{clips}}}]</script>'
    texts = (site.player("foley@0/dog/7", title="a dog"), data)
    outputs = [nbformat.v4.new_output("display_data", {"text/html": text}) for text in texts]
    cell = nbformat.v4.new_code_cell('player(f"foley@0/{name}/1")', outputs=outputs)
    (tmp_path / "page.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    (tmp_path / "stale.mp3").write_bytes(b"")
    assert site.write_media(tmp_path, tmp_path) == 3
    found = {file.name: file.read_text() for file in tmp_path.glob("*.mp3")}
    wanted = ("foley@0/dog/7", "foley@0/hand saw/1", "foley@0/cat+dog/2")
    assert found == {site.media_name(path): path for path in wanted} and "foley-0-hand-saw-1.mp3" in found


REPO2DOCKER = shutil.which("jupyter-repo2docker", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_the_first_cell_clones_installs_and_goes_there_on_colab_alone(tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text("repository: {url: https://example.org/us/book, branch: v7}")
    done, shell = [], InteractiveShell()
    monkeypatch.setattr(shell, "system", done.append)
    monkeypatch.setattr(os, "chdir", lambda folder: done.append(str(folder)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = site.colab_cell(tmp_path).source
    shell.run_cell(source).raise_error()
    assert done == []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    shell.run_cell(source).raise_error()
    clone, install, folder = done
    assert f"--branch v7 https://example.org/us/book {folder}" in clone and f"{folder}[" in install


@pytest.mark.skipif(REPO2DOCKER is None, reason="no repo2docker: pip install jupyter-repo2docker")
def test_binder_s_folder_is_accepted(tmp_path):
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    shutil.copy(ROOT / "environment.yml", tmp_path)  # the large one, which Binder must not take
    command = [REPO2DOCKER, "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    said = done.stdout + done.stderr
    assert "python=3.11" in said and "RUN ./binder/postBuild" in said and "env update" not in said


def test_the_readme_holds_what_the_results_say_and_its_figure_is_theirs(tmp_path):
    writer = types.SimpleNamespace(**runpy.run_path(str(ROOT / "workflow" / "readme.py")))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert writer.filled(text) == text, "write it again with `python workflow/readme.py`"
    assert all((ROOT / link).exists() for link in re.findall(r"\]\(([\w./]+)\)", text) if "//" not in link)
    (first, *_) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(first, {})
    writer.draw(tmp_path / "finding.svg")
    assert (tmp_path / "finding.svg").read_bytes() == (ROOT / writer.FIGURE).read_bytes()
    with pytest.raises(ValueError, match="0 places for results"):
        writer.filled(text.replace("<!-- results -->", ""))


def test_what_a_reader_is_told_to_change_is_there():
    (section,) = re.findall(
        r"^## Change something\n(.*?)^## ", (BOOK / "run.md").read_text(encoding="utf-8"), re.M | re.S
    )
    words = set(re.findall(r"`([\w./-]+)`", section))
    assert {
        *identity.FORMATS,
        "FORMATS",
        "FORMAT",
        "FILTERS",
        "CONTROLS",
        "OTHER_NETWORKS",
        "contrastive_loss",
    } <= words
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "clapleak").rglob("*.py"))
    for word in words:
        if re.match(r"(clapleak|profiles)/", word):
            assert (ROOT / word).is_file(), word
        elif re.fullmatch(r"[A-Z_]\w+|\w+_\w+", word):
            assert word in code or word == "PROFILE", word


def test_workflows_and_scripts_call_what_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        jobs = yaml.safe_load(text)["jobs"].values()
        for tool, word, *_ in (step["run"].split() for job in jobs for step in job["steps"] if "run" in step):
            called = word in targets if tool == "make" else tool in ("bash", "python") and (ROOT / word).is_file()
            assert called, (path, word)
        for action in re.findall(r"uses: (.*)", text):  # a tag can be moved, a commit cannot
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action), (path, action)
    called = re.findall(r"^\s*clapleak (\w+)", (ROOT / "binder" / "postBuild").read_text(encoding="utf-8"), re.M)
    assert called and set(called) <= set(main.commands)
    assert set(re.findall(r"^make (\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)) <= targets
