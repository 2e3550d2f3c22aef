"""Audio-text models of several families as two functions, and their clouds on a test."""

import importlib.util
import random
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from clapleak.audit import export, sounds
from clapleak.audit.clouds import PROMPTS, Clouds
from clapleak.config import ClapleakError

BATCH, REPEATED = 8, 16  # clips at once; clips that are embedded twice, to find a model that cuts at random
_Both = tuple[np.ndarray | None, np.ndarray]  # x, before the projection, where the model gives it, and E


class Model(NamedTuple):
    """A model: its name, and functions from paths of sounds and from texts to (x, E), one row each."""

    name: str
    audio: Callable[[list[str]], _Both]
    text: Callable[[list[str]], _Both]


def load_model(spec: str) -> Model:
    """A folder or hub id of transformers' ClapModel, `msclap:VERSION`, `laion:CHECKPOINT`, or `file.py:function`.

    The function takes no argument and returns two: one turns a list of paths, the other a list of texts into (n, D)
    joint embeddings, or into those before and those after the projection. ClapleakError where a model cannot be had.
    """
    file, _, name = spec.rpartition(":")
    if file.endswith(".py"):
        return _own(spec, Path(file), name)
    if file in export.FAMILIES:
        from clapleak.audio import read  # imports torch

        with _one_line(spec, f"see clapleak/audit/export.py for a {file} environment of its own"):
            return Model(spec, *export.FAMILIES[file](name, read))
    return _transformers(spec)


@contextmanager
def _one_line(name: str, remedy: str = ""):
    """An error of somebody else's code as one line: its own last one."""
    try:
        yield
    except ClapleakError:
        raise
    except Exception as error:
        last = (str(error).strip().splitlines() or [""])[-1]
        raise ClapleakError(f"{name}: {type(error).__name__}: {last}{remedy and '; ' + remedy}") from error


def _own(spec: str, path: Path, name: str) -> Model:
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; give file.py:function")
    with _one_line(spec):
        module = importlib.util.module_from_spec(found := importlib.util.spec_from_file_location(path.stem, path))
        found.loader.exec_module(module)
        audio, text = getattr(module, name)()

    @_one_line(spec)
    def pair(call: Callable, given: list[str]) -> _Both:
        answer = call(given)
        x, joint = answer if isinstance(answer, tuple) else (None, answer)
        return None if x is None else np.asarray(x), np.asarray(joint)

    return Model(spec, partial(pair, audio), partial(pair, text))


def _transformers(spec: str) -> Model:
    from clapleak.audio import import_torchaudio, read

    import_torchaudio()  # before transformers, which imports torchaudio wherever it is installed
    import torch
    from transformers import AutoConfig, AutoTokenizer, ClapFeatureExtractor, ClapModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        if (kind := AutoConfig.from_pretrained(spec).model_type) != "clap":
            raise ClapleakError(f"{spec}: a model of type {kind}; an audit needs one of type clap, or file.py:function")
        model = ClapModel.from_pretrained(spec).eval()
        extract, tokenise = ClapFeatureExtractor.from_pretrained(spec), AutoTokenizer.from_pretrained(spec)
    except (OSError, ValueError) as error:
        where = "its files are not whole" if Path(spec).exists() else "no such folder, and the hub does not answer"
        raise ClapleakError(f"{spec}: {where}; give the folder of a ClapModel, or connect once") from error

    def tensor(answer):
        return answer if isinstance(answer, torch.Tensor) else answer.pooler_output  # transformers 5 wraps it

    @torch.no_grad()
    def audio(paths: list[str]):
        waves = [read(path, extract.sampling_rate) for path in paths]
        given = extract(waves, sampling_rate=extract.sampling_rate, return_tensors="pt")
        return tensor(model.get_audio_features(**given))

    @torch.no_grad()
    def text(texts: list[str]):
        given = tokenise(texts, padding=True, truncation=True, return_tensors="pt")
        return tensor(model.get_text_features(input_ids=given["input_ids"], attention_mask=given["attention_mask"]))

    return Model(spec, export.hooked(model.audio_projection, audio), export.hooked(model.text_projection, text))


def embed(
    model: Model, test: pd.DataFrame, prompts: tuple[str, ...] = PROMPTS, *, allow_missing: bool = False, seed: int = 0
) -> Clouds:
    """The clouds of a model on a test, a table of `path`, `label` and, if known, `recording` (`clouds.read_test`).

    Every name is put in the place of {} in every prompt. Sounds that cannot be read are refused, or with
    `allow_missing` counted and left out. A model that answers the same clips differently twice gets a note.
    """
    if "path" not in test:
        raise ClapleakError("the test has no column path; without sounds only an .npz of arrays can be audited")
    if bad := [prompt for prompt in prompts or [""] if prompt.count("{}") != 1]:
        raise ClapleakError(f"prompt '{bad[0]}': put {{}} once where the class name goes")
    broken: dict[str, str] = {}
    floor = dict(sounds.of_files(test["path"], "sounds", sounds.statistics, broken))
    if broken and not allow_missing:
        first = "; ".join(f"{path} ({reason})" for path, reason in list(broken.items())[:3])
        raise ClapleakError(f"{len(broken)} of {len(test)} sounds cannot be used: {first}; --allow-missing omits them")
    notes = [f"{len(broken)} of {len(test)} sounds could not be read and are left out"] if broken else []
    if (test := test[~test["path"].isin(broken)]).empty:
        raise ClapleakError("no sound of the test can be read; check its paths")
    paths, (classes, labels) = test["path"].tolist(), np.unique(test["label"].to_numpy(str), return_inverse=True)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (msclap and transformers cut long clips with these generators)
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    answers = [model.audio(batch) for batch in tqdm(batches, model.name, unit=f"x{BATCH} clips")]
    again = [model.audio(batch) for batch in batches[: REPEATED // BATCH]]
    pairs = [(one, two) for (_, one), (_, two) in zip(answers, again, strict=False)]
    if not all(np.allclose(one, two, rtol=1e-3, atol=1e-4 * np.abs(one).max()) for one, two in pairs):
        notes.append("the model gives other embeddings when asked again for the same clips; measures vary")
    names = [name.replace("_", " ") for name in classes]
    texts = [model.text([prompt.format(name) for name in names]) for prompt in prompts]
    (x_a, E_a), (x_t, E_t) = (  # a model may give no x
        [None if part[0] is None else join(part) for part in zip(*given, strict=True)]
        for given, join in ((answers, np.concatenate), (texts, np.stack))
    )
    recordings = test["recording"].to_numpy(str) if "recording" in test else None
    return Clouds(
        labels, tuple(classes.tolist()), x_a, E_a, x_t, E_t, recordings, np.array(paths),
        np.stack([floor[path] for path in paths]), tuple(prompts), model.name, tuple(notes),
    )  # fmt: skip
