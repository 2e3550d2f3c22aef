"""Ids follow from what changes a run's numbers, and from nothing else; the same on every machine and in every process.

`python tests/test_identity.py` prints the ids of the smoke profile on tables of a few clips.
"""

import json

import pandas as pd
import pytest
import yaml
from helpers import changed, python, write_profile

from clapleak import identity
from clapleak.config import find_root, load_profile

GOLDEN = {  # whoever changes one of these makes every finished run look old
    "clips": "921081e43bbe83a7", "family": "8bae768ec809ea01", "backbone": "0158311ef8f5b2cb",
    "training": "1ce7a6c00fc1d6bc", "measurement": "3d2a4746299102a8",
}  # fmt: skip
ALL = list(GOLDEN)


def ids(profile=None, *, content=7, label="dog", caption="a dog barks", answer="dog", seed=0) -> dict[str, str]:
    """The ids of a run on three clips."""
    profile = profile or load_profile("smoke")
    clips = identity.clips_id(["a", "b", "é"], [content, 8, 9], profile.audio)
    pretrain = pd.DataFrame({"clip": ["a", "b"], "labels": [[label], ["rain", "sea"]]})
    pairs, test = pd.DataFrame({"clip": ["a"], "text": [caption]}), pd.DataFrame({"clip": ["é"], "text": [answer]})
    return identity.run_ids(clips, profile, seed, pretrain=pretrain, pairs=pairs, test=test, targets=["dog", "rain"])


def test_ids_are_those_of_every_other_process_and_python():
    assert json.loads(python(__file__, env={"PYTHONHASHSEED": "7"}).stdout) == ids() == GOLDEN


@pytest.mark.parametrize(
    ("first", "sections", "rows"),
    [
        (None, {"seeds": 9, "compute": {"workers": 3, "threads": 5, "device": "cpu", "tensorboard": True}}, {}),
        (None, {"measures": {"perplexity": 3.0}}, {}),
        ("measurement", {"measures": {"k_max": 3}}, {}), ("measurement", {"data": {"prompt": "{}"}}, {}),
        ("measurement", {}, {"answer": "rain"}), ("training", {}, {"caption": "a dog barked"}),
        ("backbone", {}, {"label": "cat"}), ("backbone", {}, {"seed": 1}),
        ("family", {"recipe": {"learning_rate": 2e-4}}, {}), ("family", {"audio_encoder": {"dropout": 0.3}}, {}),
        ("family", {"data": {"label_rule": "ontology"}}, {}), ("family", {"compute": {"precision": "fp32"}}, {}),
        ("clips", {"audio": {"hop": 320}}, {}), ("clips", {}, {"content": 1}),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_reaches_the_ids_that_hang_on_it_and_no_other(first, sections, rows):
    before, after = ids(), ids(changed(load_profile("smoke"), **sections), **rows)
    differ = [name for name in ALL if before[name] != after[name]]
    assert differ == ([] if first is None else ALL[ALL.index(first) :])


def test_neither_comments_nor_the_place_of_a_checkpoint_count_but_its_contents(tmp_path):
    path, found = tmp_path / "smoke.yaml", []
    path.write_text(yaml.safe_dump(yaml.safe_load((find_root() / "profiles" / "smoke.yaml").read_text())))
    assert ids(load_profile(str(path))) == ids()
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("b.pth", b"2")):
        (tmp_path / name).write_bytes(content)
        found.append(ids(changed(load_profile("smoke"), pretrain={"checkpoint": str(tmp_path / name)}))["family"])
    assert found[0] == found[1] != found[2]


def test_a_place_in_a_profile_is_looked_for_beside_it_and_a_text_encoder_counts_by_its_contents(tmp_path, monkeypatch):
    found = []
    for folder, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / folder / "bert" / ".cache").mkdir(parents=True)
        (tmp_path / folder / "panns.pth").write_bytes(b"1")
        (tmp_path / folder / "bert" / "model.safetensors").write_bytes(content)
        (tmp_path / folder / "bert" / ".cache" / "when").write_text(folder)
        sections = {"text_encoder": {"model": "bert"}, "pretrain": {"checkpoint": "panns.pth"}}
        path = write_profile(tmp_path / folder / "mine.yaml", **sections)
        profile = load_profile(str(path))
        assert profile.text_encoder.model == str(path.parent / "bert")
        assert profile.pretrain.checkpoint == str(path.parent / "panns.pth")
        found.append(ids(profile)["family"])
    assert found[0] == found[1] != found[2]
    monkeypatch.chdir(tmp_path / "a")  # where the profile has none, the working directory counts, but not for our names
    (tmp_path / "a" / "tiny").mkdir()
    path = write_profile(tmp_path / "mine.yaml", text_encoder={"model": "tiny"}, pretrain={"checkpoint": "panns.pth"})
    assert load_profile(str(path)).pretrain.checkpoint == str(tmp_path / "a" / "panns.pth")
    assert load_profile(str(path)).text_encoder.model == "tiny"
    path = write_profile(tmp_path / "mine.yaml", pretrain={"checkpoint": "gone.pth"})
    assert load_profile(str(path)).pretrain.checkpoint == "gone.pth"


if __name__ == "__main__":
    print(json.dumps(ids(), indent=1))
