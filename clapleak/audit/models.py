"""Audio-text models of several families as two functions, and their clouds on a test."""

import importlib.util
import random
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from clapleak import metrics
from clapleak.audit import export, sounds
from clapleak.audit.clouds import PROMPTS, Clouds, spelt
from clapleak.config import ClapleakError

BATCH, REPEATED = 8, 16  # clips at once; clips that are embedded twice, to find a model that cuts at random


class Model(NamedTuple):
    """A model: its name, and functions from paths of sounds and from texts to (x, E), one row each; x may be None."""

    name: str
    audio: Callable[[list[str]], tuple]
    text: Callable[[list[str]], tuple]


def load_model(spec: str) -> Model:
    """The model of a spec as `clapleak audit --help` lists them; ClapleakError where it cannot be had."""
    file, _, name = spec.rpartition(":")
    family, _, which = spec.partition(":")
    if spec.endswith(".py") or (family in export.FAMILIES and not which):
        raise ClapleakError(f"{spec}: half a model; give file.py:function, msclap:VERSION or laion:CHECKPOINT")
    if file.endswith(".py"):
        return _own(spec, Path(file).absolute(), name)
    if family in export.FAMILIES:
        from clapleak.audio import read  # imports torch

        with _one_line(spec, f"; see clapleak/audit/export.py for a {family} environment of its own"):
            return Model(spec, *export.FAMILIES[family](which, read))
    return _transformers(spec)


@contextmanager
def _one_line(name: str, remedy: str = "", folder: str = ""):
    """An error of somebody else's code as one line, with its place in a folder whose modules can be imported within."""
    sys.path[:0] = [folder] if folder else []
    try:
        yield
    except (Exception, SystemExit, GeneratorExit) as error:  # whoever leaves has not passed a gate
        last = (str(error).strip().splitlines() or [""])[-1]
        places = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).parent) == folder]
        where = f" ({places[-1].filename}, line {places[-1].lineno})" if places else ""
        raise ClapleakError(f"{name}: {type(error).__name__}: {last}{where}{remedy}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _own(spec: str, path: Path, name: str) -> Model:
    with _one_line(spec, folder=str(path.parent)):
        found = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
        sys.modules[found.name] = module = importlib.util.module_from_spec(found)  # where a dataclass looks for it
        found.loader.exec_module(module)
        audio, text = getattr(module, name)()

    @_one_line(spec, folder=str(path.parent))
    def pair(call: Callable, given: list[str]) -> tuple:
        answer = call(given)
        x, joint = answer if isinstance(answer, tuple) else (None, answer)
        x, joint = None if x is None else metrics.cloud(x), metrics.cloud(joint)
        if {len(given)} != {len(part) for part in (x, joint) if part is not None}:
            raise ValueError(f"{len(joint)} rows for {len(given)} paths or texts")
        return x, joint

    return Model(spec, partial(pair, audio), partial(pair, text))


def _transformers(spec: str) -> Model:
    from clapleak.audio import import_torchaudio, read

    import_torchaudio()  # before transformers, which imports torchaudio wherever it is installed
    from transformers import AutoConfig, AutoTokenizer, ClapFeatureExtractor, ClapModel, logging

    logging.disable_progress_bar()
    try:
        if (kind := AutoConfig.from_pretrained(spec).model_type) != "clap":
            raise ClapleakError(f"{spec}: a model of type {kind}; an audit needs one of type clap, or file.py:function")
        model = ClapModel.from_pretrained(spec).eval().requires_grad_(False)
        extract, tokenise = ClapFeatureExtractor.from_pretrained(spec), AutoTokenizer.from_pretrained(spec)
    except (OSError, ValueError) as error:
        where = "its files are not whole" if Path(spec).exists() else "no such folder, and the hub does not answer"
        raise ClapleakError(f"{spec}: {where}; give the folder of a ClapModel, or connect once") from error

    def audio(paths: list[str]):
        waves = [read(path, extract.sampling_rate) for path in paths]
        given = extract(waves, sampling_rate=extract.sampling_rate, return_tensors="pt")
        return model.get_audio_features(**given)

    def text(texts: list[str]):
        given = tokenise(texts, padding=True, truncation=True, return_tensors="pt")
        return model.get_text_features(input_ids=given["input_ids"], attention_mask=given["attention_mask"])

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
    if bad := [prompt for prompt in prompts or [""] if not re.fullmatch(r"[^{}]*\{\}[^{}]*", prompt)]:
        raise ClapleakError(f"prompt '{bad[0]}': put {{}} once where the class name goes, and no other braces")
    broken: dict[str, str] = {}
    floor = dict(sounds.of_files(test["path"], "sounds", sounds.statistics, broken))
    left = test[~test["path"].isin(broken)]
    if broken and (left.empty or not allow_missing):
        first = "; ".join(f"{path} ({reason})" for path, reason in list(broken.items())[:3])
        raise ClapleakError(f"{len(broken)} of {len(test)} sounds cannot be used: {first}; --allow-missing omits them")
    notes = [f"{len(broken)} of {len(test)} sounds could not be read and are left out"] if broken else []
    paths, (classes, labels) = left["path"].tolist(), np.unique(left["label"].to_numpy(str), return_inverse=True)
    texts = [model.text([prompt.replace("{}", spelt(name)) for name in classes]) for prompt in prompts]
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (msclap and transformers cut long clips with these generators)
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    asked = [*batches, *batches[: REPEATED // BATCH]]
    with tqdm(asked, model.name, unit=f"x{BATCH} clips") as bar:  # closed before an error is told
        answers = [model.audio(batch) for batch in bar]
    with _one_line(model.name):  # batches may differ in width
        (x_a, E_a), (x_t, E_t) = (  # a model may give no x
            [None if part[0] is None else join(part) for part in zip(*given, strict=True)]
            for given, join in ((answers, np.concatenate), (texts, np.stack))
        )
    if not np.allclose(E_a[len(paths) :], E_a[: len(E_a) - len(paths)], rtol=1e-3, atol=1e-4 * np.abs(E_a).max()):
        notes.append("the model gives other embeddings when asked again for the same clips; measures vary")
    x_a, E_a = None if x_a is None else x_a[: len(paths)], E_a[: len(paths)]
    recordings = left["recording"].to_numpy(str) if "recording" in left else None
    return Clouds(
        labels, tuple(classes.tolist()), x_a, E_a, x_t, E_t, recordings, np.array(paths),
        np.stack([floor[path] for path in paths]), tuple(prompts), model.name, tuple(notes),
    )  # fmt: skip
