"""Profiles are validated whole; setups keep the paper's order."""

import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell

from clapleak.config import SETUPS, ClapleakError, Setup, find_root, load_profile


def test_setups_are_in_the_paper_s_order():
    slugs = ["dirty-dirty", "clean-dirty", "none-dirty", "dirty-clean", "clean-clean", "none-clean"]
    assert [s.slug for s in SETUPS] == slugs
    assert [s.figure for s in SETUPS] == ["2a", "2b", "2c", "2d", "2e", "2f"]
    assert Setup.parse("none-clean") == Setup(pretraining="none", training="clean")


def test_unknown_setup_is_refused():
    with pytest.raises(ClapleakError, match="unknown setup 'clean-none'"):
        Setup.parse("clean-none")


@pytest.mark.parametrize("name", ["smoke", "mini", "mini-long", "esc50"])
def test_every_profile_loads(name):
    profile = load_profile(name)
    assert profile.name == name
    assert profile.synthetic == (name != "esc50")


def test_every_number_of_a_profile_has_its_source():
    for path in (find_root() / "profiles").glob("*.yaml"):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.startswith("  ") and value.strip()[:1].isdigit():
                assert "#" in value, f"{path.name}: {line}"


def write(tmp_path, change) -> str:
    content = yaml.safe_load((find_root() / "profiles" / "mini.yaml").read_text()) | {"name": "changed"}
    change(content)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["recipe"].update(momentum=0.9), "recipe.momentum"),
        (lambda c: c.update(extra=1), "extra"),
        (lambda c: c.update(name="mini"), "must be the file's name, 'changed'"),
        (lambda c: c["recipe"].pop("batch_size"), "recipe.batch_size"),
        (lambda c: c["recipe"].update(batch_size="128"), "recipe.batch_size"),
        (lambda c: c["recipe"].update(validation_share=1.5), "recipe.validation_share"),
        (lambda c: c["text_encoder"].update(pooling="max"), "text_encoder.pooling"),
    ],
)
def test_a_wrong_profile_is_one_line_that_names_file_and_key(tmp_path, change, message):
    with pytest.raises(ClapleakError) as caught:
        load_profile(write(tmp_path, change))
    assert message in str(caught.value) and "changed.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_yaml_and_unknown_names_are_refused(tmp_path):
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(ClapleakError, match="not valid YAML"):
        load_profile(str(tmp_path / "broken.yaml"))
    with pytest.raises(ClapleakError, match="unknown profile 'huge'.*esc50, mini"):
        load_profile("huge")


def test_fingerprint_follows_every_number(tmp_path):
    other = load_profile(write(tmp_path, lambda c: c["loss"].update(max_logit=99.0)))
    assert other.sha256 != load_profile("mini").sha256


def test_a_live_notebook_shows_a_mistake_as_one_line(capsys):
    InteractiveShell().run_cell("from clapleak.config import load_profile\nload_profile('nowhere')")
    printed = capsys.readouterr().out.strip()
    assert printed.startswith("clapleak: ") and "nowhere" in printed and len(printed.splitlines()) == 1
