"""Tables of bad inputs: what is given, and what the one line of the answer must name. `test_bad_inputs` gives them."""
# ruff: noqa: E501 (tables)

import importlib.util
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clapleak.config import find_root

TRAIN, REPRODUCE, LEAKS = ("train", "--setup", "dirty-dirty", "--profile"), ("reproduce", "--profile"), ("leaks",)
PRETRAIN, ESC50 = ("pretrain", "--pretraining", "dirty", "--profile"), ("reproduce", "--profile", "esc50")
AUDIT, CHECK, FETCH, PAGE = ("audit",), ("data", "check"), ("data", "fetch"), ("page", "setup", "out.ipynb")
SMOKE_RUN = "build/results/smoke/dirty-dirty/seed0/metrics.json"
SLURM = "sbatch" if importlib.util.find_spec("snakemake_executor_plugin_slurm") else "'clapleak[cluster]'"
SMOKE = (find_root() / "profiles" / "smoke.yaml").read_text()
LONG, BINARY, DEEP = "x" * 5000, bytes(range(256)), "[" * 100_000


def named(name: str, text: str = SMOKE) -> bytes:
    """The smoke profile under another name."""
    return text.replace("name: smoke", f"name: {json.dumps(name)}").encode()


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def bomb() -> bytes:
    """An archive of kilobytes that promises hundreds of gigabytes."""
    buffer, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**36, 4)})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("E_a.npy", header.getvalue() + bytes(10_000_000))
    return buffer.getvalue()


FILES = {
    "list.yaml": b"- 1\n", "other/x": b"", "file": b"x", "bell.txt": b"bell\n", "good.csv": b"caption\nrain\n",
    "none/config.yaml": b"- executor\n", "number/config.yaml": b"executor: 7\n", "empty/config.yaml": b"executor:\n",
    "several/config.yaml": b"executor: [slurm]\n", "path/config.yaml": b"executor: ../x\n",
    "twice/config.yaml": b"executor: slurm\nexecutor: local\n", "bytes/config.yaml": b"\xff\xfe",
    "deep/config.yaml": DEEP.encode(), "cloud/config.yaml": b"executor: cloud-of-mine\n",
    "slurm/config.yaml": b"executor: slurm\n", SMOKE_RUN: b'{"schema": 1}',
    "esc50/meta/esc50.csv": b"filename,fold\na.wav,1\n", "empty/meta/esc50.csv": b"",
    "binary/meta/esc50.csv": BINARY, "header/meta/esc50.csv": b"filename,fold,category,src_file\n",
    "silent/meta/esc50.csv": b"filename,fold,category,src_file\na.wav,1,dog,1\n",
    "long/meta/esc50.csv": b"filename,fold,category,src_file\na.wav,1,dog,1,2,3\n", "more.csv": b"label\n",
    "text.npz": b"no arrays", "prompts.txt": b"no place\n", "m.py": b"def model(: no python\n",
    "pickle.npz": pickle.dumps({"E_a": 1}), "one.npy": npy(np.zeros(3)), 
    "objects.npz": npz(E_a=np.array([{}], dtype=object)), "bare.npz": npz(), "half.npz": npz(E_a=np.ones((9, 9)))[:200], "audit.json": b"{}",
    "build/weights/YamNet_w8a8.onnx.zip": b"other weights", "deep.json": DEEP.encode(),
}  # fmt: skip

REFERENCES = {  # content of an audit.json
    f"reference_{name}.json": json.dumps({"schema": 1, "model": "m", "classes": classes, **changes}).encode()
    for name, (classes, changes) in {
        "nan": ([{"name": "a", "silhouette_x_a": float("nan")}], {}),
        "null": ([{"name": "a", "silhouette_x_a": None}], {}),
        "text": ([{"name": "a", "silhouette_x_a": "0.1"}], {}),
        "lacking": ([{"name": "a"}], {}),
        "list": ([1], {}),
        "twice": ([{"name": "a", "silhouette_x_a": 0.1}] * 2, {}),
        "none": ([{"name": "a", "silhouette_x_a": 0.1}], {"model": ""}),
        "number": ([{"name": "a", "silhouette_x_a": 0.1}], {"model": 1}),
        "empty": ([], {}),
        "word": ("a", {}),
        "deep": ({"a": {}}, {}),
        "old": ([{"name": "a", "silhouette_x_a": 0.1}], {"schema": 0}),
    }.items()
}

PROFILES = {  # content of name.yaml, and what the line names beside the file
    "null": (b"null\n", "key '(top level)'"), "hollow": (b"", "key '(top level)'"), "word": (b"hello\n", "(top level)"),
    "broken": (b"name: [", "not valid YAML"), "binary": (BINARY, "not valid YAML"), "tab": (b"a:\tx\n\tb: 1\n", "valid"),
    "latin": (named("latin") + "# é\n".encode("latin-1"), "not valid YAML: 'utf-8'"),
    "utf16": (named("utf16").decode().encode("utf-16"), "not valid YAML: 'utf-8'"),
    "deep": (DEEP.encode(), "not valid YAML: maximum recursion depth"), "two": (named("two") + b"---\na: 1\n", "single"),
    "bomb": (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n".encode() for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)
    ), "key 'a': unknown"),
    "merges": (b"a: &a {x: 1}\n" + b"".join(
        f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n".encode()
        for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)
    ), "key '<<' stands twice or is a merge"),
    "twice": (named("twice") + b"seeds: 2\n", "key 'seeds' stands twice"),
    "twin": (named("twin", SMOKE.replace("  width: 2 ", "  width: 2\n  width: 3 ")), "key 'width' stands twice"),
    "tag": (b"!!python/object/apply:os.system ['touch PWNED']\n", "could not determine a constructor"),
    "alias": (b"name: *nobody\n", "undefined alias"), "self": (b"&a [*a]\n", "(top level)"),
    "keys": (b"{1: 2, [a]: 3}\n", "unhashable key"), "nul": (b"name: 'a\0b'\n", "special characters"),
    "day": (b"name: 2020-99-99\n", "month must be"), "digits": (b"seeds: " + b"9" * 5000, "Exceeds the limit"),
    "renamed": (named("mini"), "key 'name': is 'mini' and must be the file's name, 'renamed'"),
    "a{b}": (named("a{b}"), "key 'name'"), "-x": (named("-x"), "key 'name'"), "a;ls": (named("a;ls"), "key 'name'"),
    "$(touch PWNED)": (named("$(touch PWNED)"), "key 'name'"), "<b>x": (named("<b>x"), "key 'name'"),
    "a\nb": (named("a\nb"), "key 'name'"),
    **{name: (named(name), "key 'name': stands for something else in build/") for name in ("html", "X_a", "weights")},
    "melbins": (named("melbins", SMOKE.replace("mel_bins: ", "melbins: ")),
                "key 'audio.melbins': unknown (did you mean 'mel_bins'?)"),
    "place": (named("place", SMOKE.replace("checkpoint: null", 'checkpoint: "a\\0b"')), "key 'pretrain.checkpoint'"),
}  # fmt: skip

CALLS = [  # words of the command line, then what its one line must name
    ((*TRAIN, "smok"), "unknown profile 'smok' (did you mean 'smoke'?)", "mini-long"),
    ((*REPRODUCE, "esc5"), "(did you mean 'esc50'?)"), ((*TRAIN, "list.yaml"), "list.yaml: key '(top level)'"),
    ((*PRETRAIN, "gone.yaml"), "unknown profile 'gone.yaml'", "gone.yaml; known"),
    ((*TRAIN, ""), "unknown profile ''"), ((*TRAIN, LONG), "x.yaml: File name too long"),
    ((*TRAIN, "../smoke"), "unknown profile '../smoke'"), ((*TRAIN, "other"), "unknown profile 'other'"),
    ((*TRAIN, "~nouser/x.yaml"), "unknown profile '~nouser/x.yaml'"), ((*TRAIN, "SMOKE"), "unknown profile 'SMOKE'"),
    ((*TRAIN, "folder.yaml"), "unknown profile 'folder.yaml'"), ((*TRAIN, "loop.yaml"), "unknown profile 'loop.yaml'"),
    ((*TRAIN, "mini;ls"), "unknown profile 'mini;ls' (did you mean 'mini'?)"),
    ((*TRAIN, "zero.yaml"), "unknown profile 'zero.yaml'"),
    (("train", "--profile", "smoke", "--setup", "dirty-claen"), "'dirty-claen' (did you mean 'dirty-clean'?)"),
    (("train", "--profile", "smoke", "--setup", "clean-none"), "unknown setup 'clean-none'", "dirty-dirty"),
    (("train", "--profile", "smoke", "--setup", ""), "unknown setup ''"),
    (("train", "--profile", "smoke", "--setup", "DIRTY-DIRTY"), "unknown setup 'DIRTY-DIRTY'"),
    (("train", "--profile", "smoke", "--setup", "byola-dirty"), "unknown setup 'byola-dirty'"),
    (("train", "--profile", "smoke", "--setup", "aisfx-dirty"), "profile smoke: no network aisfx; use --profile networks"),
    ((*TRAIN, "smoke", "--group", 1), "this profile has no class groups", "--group"),
    (("pretrain", "--pretraining", "clean", "--profile", "mini", "--group", 0), "no class groups", "--group"),
    ((*TRAIN, "esc50", "--group", -1), "Invalid value for '--group': -1 is not in the range"),
    ((*TRAIN, "smoke", "--seed", -1), "Invalid value for '--seed': -1"),
    ((*TRAIN, "smoke", "--seed", "9" * 30), "Invalid value for '--seed'"), ((*TRAIN, "mini", "--seed", "x"), "--seed"),
    ((*TRAIN, "smoke", "--seed", "1e3"), "'1e3' is not a valid integer"), ((*TRAIN, "smoke", "--seed"), "'--seed'"),
    ((*TRAIN, "smoke", "--sead", 3), "No such option '--sead'", "--seed"), ((*TRAIN, "smoke", "extra"), "(extra)"),
    (("train",), "Missing option '--setup'"), (("train", "--setup"), "'--setup' requires an argument"),
    (("tarin",), "No such command 'tarin'. Did you mean 'train'?"), (("--foo",), "No such option '--foo'"),
    (("pretrain",), "Missing option '--pretraining'"), (("pretrain", "--pretraining", "none"), "'none' is not one of"),
    ((*REPRODUCE, "smoke", "--seeds", 0), "'--seeds': 0"), ((*REPRODUCE, "smoke", "--seeds", "inf"), "'--seeds': 'inf'"),
    ((*REPRODUCE, "smoke", "--seeds", 10**12), "'--seeds'"), ((*REPRODUCE, "smoke", "--cores", 0), "'--cores': 0"),
    ((*REPRODUCE, "smoke", "--cores", -2), "'--cores': -2"), ((*REPRODUCE, "smoke", "--cores", 10**9), "'--cores'"),
    ((*REPRODUCE, "smoke", "--controls", "cleanr"), "'cleanr' is not one of", "cleaner"),
    ((*REPRODUCE, "smoke", "--books"), "No such option '--books'"), (("store", "--cores", 0), "'--cores': 0"),
    (("store", "--cores", "x"), "'--cores': 'x'"), (("store", "--profile", "smok"), "did you mean 'smoke'"),
    (("plan", "--profile", "smok"), "did you mean 'smoke'"), (("plan", "--profile", "list.yaml"), "list.yaml: key"),
    (("pages", "--cores", 0), "'--cores': 0"), (("pages", "--profile", "smok"), "did you mean 'smoke'"),
    (("publish", "--profle", "x"), "No such option '--profle'", "--profile"), (("book", "--wn"), "'--wn'", "--own"),
    (("pdf", "--own", "x"), "unexpected extra argument"), (("publish", "--profile", "smok"), "did you mean 'smoke'"),
    ((*TRAIN, "esc50", "--group", 0), "corpus esc50", "--data-root DIR or set CLAPLEAK_DATA"),
    (ESC50, "--data-root DIR or set CLAPLEAK_DATA"), 
    ((*ESC50, "--data-root", "other"), "other: no meta/esc50.csv", "give the root of the official layout"),
    ((*ESC50, "--data-root", "gone"), "gone: no meta/esc50.csv"), ((*ESC50, "--data-root", "file"), "file: no meta/"),
    ((*ESC50, "--data-root", "~nouser"), "~nouser: no meta/"), ((*ESC50, "--data-root", LONG), "File name too long"),
    ((*ESC50, "--data-root", "circle"), "circle", "meta/esc50.csv"), ((*ESC50, "--data-root", "/dev/null"), "/dev/null"),
    ((*ESC50, "--data-root", "esc50"), "esc50.csv: columns missing: category, src_file"),
    ((*ESC50, "--data-root", "empty"), "empty/meta/esc50.csv: not a readable CSV"),
    ((*ESC50, "--data-root", "binary"), "binary/meta/esc50.csv"),
    ((*ESC50, "--data-root", "header"), "header/audio: no such folder"),
    ((*ESC50, "--data-root", "silent"), "silent/audio: no such folder"),
    ((*ESC50, "--data-root", "long"), "long/meta/esc50.csv: not a readable CSV"),
    ((*ESC50, "--data-root", "place"), "place/meta/esc50.csv: no such file"),
    ((*REPRODUCE, "networks"), "YamNet_w8a8.onnx.zip: SHA-256 is", "data fetch byola`"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "gone"), "gone/config.yaml: no settings for Snakemake", "slurm"),
    *(((*REPRODUCE, "smoke", "--workflow-profile", name), f"{name}/config.yaml: no settings for Snakemake")
      for name in ("none", "number", "empty", "several", "path", "file")),
    *(((*REPRODUCE, "smoke", "--workflow-profile", name), f"{name}/config.yaml: not valid YAML")
      for name in ("twice", "bytes", "deep")),
    ((*REPRODUCE, "smoke", "--workflow-profile", "cloud"), "pip install snakemake-executor-plugin-cloud-of-mine"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "slurm"), "slurm/config.yaml", SLURM),
    ((*LEAKS, "gone.csv"), "gone.csv: no such file"), (LEAKS, "Missing argument 'FILES...'"),
    ((*LEAKS, "good.csv", "gone.csv"), "gone.csv: no such file"), ((*LEAKS, "other"), "other: no such file"),
    ((*LEAKS, "loop.csv"), "loop.csv"), ((*LEAKS, LONG), "File name too long"),
    ((*LEAKS, "good.csv", "--rule", "fuzzy"), "unknown rule 'fuzzy'", "word, lemma, phrase, ontology or meaning"),
    ((*LEAKS, "good.csv", "--rule", ""), "unknown rule ''"), ((*LEAKS, "good.csv", "--rule", "Word"), "rule 'Word'"),
    ((*LEAKS, "good.csv", "--rule", "ontology"), "good.csv: no column of labels; found caption"),
    ((*LEAKS, "good.csv", "--column", "x"), "good.csv: no column of texts; found caption, need one of x"),
    ((*LEAKS, "good.csv", "--column", ""), "good.csv: no column of texts"),
    ((*LEAKS, "good.csv", "--labels", "esc51"), "esc51: no such file", "use esc50"),
    ((*LEAKS, "good.csv", "--labels", ""), "no such file"), ((*LEAKS, "good.csv", "--labels", "other"), "other: no such"),
    ((*LEAKS, "good.csv", "--labels", "clotho"), "clotho", "--data-root"),
    ((*LEAKS, "good.csv", "--labels", "clotho", "--data-root", "file"), "file: no clotho_csv_files"),
    ((*LEAKS, "good.csv", "--labels", "more.csv"), "more.csv: column label holds no text"),
    ((*LEAKS, "good.csv", "./good.csv"), "good.csv: is given twice"),
    ((*LEAKS, "good.csv", "--output", "./good.csv"), "good.csv: is an input; name another --output"),
    ((*LEAKS, "good.csv", "--labels", "bell.txt", "--output", "bell.txt"), "bell.txt: is an input; name another"),
    ((*LEAKS, "good.csv", "--labels", "good.csv"), "good.csv: no column of class names; found caption"),
    ((*LEAKS, "good.csv", "--output", "other"), "other: Is a directory"),
    ((*LEAKS, "good.csv", "--output", "file/x.csv"), "file: File exists"),
    ((*LEAKS, "good.csv", "--output", "/sys/x.csv"), "/sys/x.csv: "), ((*LEAKS, "good.csv", "--output", ""), ".: "),
    ((*LEAKS, "good.csv", "--output", "/proc/x.csv"), "/proc/x.csv: No such file or directory"),
    ((*LEAKS, "good.csv", "--output", LONG), "File name too long"),
    (("publish", "--profile", "smoke"), f"{SMOKE_RUN}: schema 1, not 2", "clapleak reproduce --profile smoke"),
    (("publish", "--profile", "mini"), "results/mini: no such results", "clapleak reproduce --profile mini"),
    (("page", "nothing", "out.ipynb"), "nothing.py: no such notebook", "notebooks/"), (("page",), "'NOTEBOOK'"),
    (("page", "idea"), "Missing argument 'OUTPUT'"), (("page", "", "out.ipynb"), "no such notebook"),
    (("page", "../profiles/mini", "out.ipynb"), "no such notebook"),
    ((*PAGE, "-p", "x", "{["), "-p x: not valid YAML"), ((*PAGE, "-p", "x"), "'-p' requires 2 arguments"),
    ((*PAGE, "-p", "nosuch", 1), "setup.py: unknown parameters: nosuch; known: profile, pretraining"),
    ((*PAGE, "-p", "seed", "x"), "setup.py: parameter seed: give a value of type int"),
    ((*PAGE, "-p", "seed", "{a: 1}"), "parameter seed"), ((*PAGE, "-p", "seed", "0.5"), "parameter seed"),
    ((*PAGE, "-p", "own", "3"), "parameter own: give a value of type bool"), ((*PAGE, "-p", "group", ""), "parameter group"),
    ((*PAGE, "-p", "pretraining", "x", "-p", "training", "y"), "unknown setup 'x-y'"),
    ((*PAGE, "-p", "pretraining", "[1]", "-p", "training", "clean"), "unknown setup '[1]-clean'"),
    (("book",), "pages missing: intro", "clapleak reproduce"), (("book", "--own"), "build/pages: pages missing"),
    (("data", "lst"), "No such command 'lst'. Did you mean 'list'?"), (CHECK, "'NAME'"), (FETCH, "'NAME'"),
    ((*CHECK, "nosuch"), "unknown corpus 'nosuch': known are esc50"), ((*CHECK, "foley"), "unknown corpus 'foley'"),
    ((*CHECK, "esc50"), "--data-root DIR or set CLAPLEAK_DATA"), ((*CHECK, "esc50", "--cores", 0), "'--cores': 0"),
    ((*CHECK, "esc50", "--data-root", "file"), "file: no meta/esc50.csv"),
    ((*CHECK, "esc50", "--data-root", "silent", "--split", "9"), "unknown split '9' of esc50"),
    ((*CHECK, "esc50", "--data-root", "silent", "--output", "silent/meta/esc50.csv"), "esc50.csv: lies in the corpus"),
    ((*CHECK, "esc50", "--data-root", "circle"), "circle", "meta/esc50.csv"),
    ((*FETCH, "nosuch", "--data-root", "file"), "unknown corpus 'nosuch': known are"),
    ((*FETCH, "esc50"), "--data-root DIR or set CLAPLEAK_DATA"), ((*FETCH, "yamnett"), "yamnett"),
    ((*FETCH, "esc50", "--data-root", "file"), "file: not a folder that can be written"),
    (AUDIT, "Missing argument 'MODEL'"), ((*AUDIT, "gone.npz"), "gone.npz: no such file"),
    ((*AUDIT, "text.npz"), "text.npz: not an .npz of plain arrays"), ((*AUDIT, "pickle.npz"), "pickle.npz: not an .npz"),
    ((*AUDIT, "objects.npz"), "E_a holds objects; save np.array(E_a, dtype=float)"), ((*AUDIT, "half.npz"), "half.npz: not an .npz"),
    ((*AUDIT, "bare.npz"), "bare.npz: no labels and no classes"), ((*AUDIT, "bare.npz", "gone.csv"), "gone.csv: no such"),
    ((*AUDIT, "m.py:model"), "a model needs a test"), ((*AUDIT, "bare.npz", "--alpha", 2), "--alpha 2.0: give a number from 0.0001 to 0.2"),
    ((*AUDIT, "bare.npz", "--seed", -1), "'--seed': -1"), ((*AUDIT, "bare.npz", "--alfa", 1), "'--alfa'", "--alpha"),
    ((*AUDIT, "bare.npz", "--fail-on", "label"), "--fail-on label: use labels, recordings, unknown"),
    *(((*AUDIT, "bare.npz", "--max-leak", value), f"--max-leak {float(value)}: give a number from 0 to 1") for value in ("nan", "inf", -1)),
    ((*AUDIT, "bare.npz", "--alpha", "nan"), "--alpha nan: give a number"),
    ((*AUDIT, "bare.npz", "--rule", "x"), "unknown rule 'x': use word, lemma, phrase, ontology or meaning"),
    *(((*AUDIT, "bare.npz", "--reference", name), f"{name}: not an audit.json of this version") for name in ("audit.json", *REFERENCES)),
    ((*AUDIT, "bare.npz", "--training-labels", "gone.csv"), "gone.csv: no such file"),
    ((*AUDIT, "bare.npz", "--training-recordings", "good.csv"), "good.csv: no column of recordings"),
    ((*AUDIT, "bare.npz", "--prompts", "gone.txt"), "gone.txt: no such file"),
]  # fmt: skip

KEYS = [  # section, key, value that is refused; None takes the key away
    *(("recipe", "batch_size", value) for value in (1, 10**12, "128", None)), ("recipe", "momentum", 0.9),
    *(("recipe", "validation_share", value) for value in (1.5, 0.0, float("nan"))), ("recipe", "split_by", "pairs"),
    ("recipe", "frozen_epochs", -1), ("recipe", "max_epochs", 0), ("recipe", "max_epochs", 10**12),
    ("recipe", "stop_patience", 0), ("recipe", "max_gradient", float("nan")), ("recipe", "plateau_factor", 1.0),
    ("recipe", "plateau_patience", -1), ("recipe", "learning_rate", -1.0), ("recipe", "learning_rate", float("inf")),
    ("recipe", None, None), ("seeds", None, 0), ("seeds", None, 10**12), ("seeds", None, True), ("seeds", None, "3"),
    ("extra", None, 1), ("name", None, 3), ("compute", None, []), ("compute", "threads", 10**9),
    ("compute", "device", "tpu"), ("compute", "workers", -1), ("compute", "workers", 10**9),
    ("compute", "precision", "fp16"), ("compute", "compile", None), ("measures", "k_max", 0),
    ("measures", "perplexity", float("inf")), ("measures", "include_self", 1), ("projection", "dim", 10**9),
    ("projection", "dropout", 1.5), ("loss", "max_logit", -1.0), ("loss", "max_logit", float("inf")),
    ("loss", "logit_scale", 1e6), ("loss", "logit_scale", float("nan")),
    *(("pretrain", "batch_size", value) for value in (1, 10**12)), ("pretrain", "checkpoint", ""),
    ("pretrain", "loss", "mse"), ("pretrain", "sampling", "all"), ("pretrain", "epochs", 10**12),
    ("pretrain", "mixup", -1.0), ("pretrain", "learning_rate", 0.0),
    *(("text_encoder", "max_tokens", value) for value in (0, 1, 10**9)), ("text_encoder", "model", ""),
    ("text_encoder", "pooling", "max"), ("text_encoder", "trainable_layers", -1),
    ("text_encoder", "trainable_layers", "some"),
    *(("audio_encoder", "width", value) for value in (0, 10**9)), ("audio_encoder", "stem_stride", 1000),
    *(("audio_encoder", "blocks", value) for value in (0, 7, 10**9)), ("audio_encoder", "dropout", -0.1),
    ("audio_encoder", "spec_augment", {"time_stripes": -1, "time_width": 1, "mel_stripes": 1, "mel_width": 1}),
    ("audio_encoder", "spec_augment", {"time_stripes": 1, "time_width": 1, "mel_stripes": 10**9, "mel_width": 1}),
    *(("audio", "sample_rate", value) for value in (0, 10, 10**12, 16000.0)), ("audio", "f_max", 10.0),
    *(("audio", "segment", value) for value in (-1.0, 1e12, float("inf"), float("nan"))), ("audio", "f_max", 8001.0),
    *(("audio", "window", value) for value in (2, 10**12, 100)), ("audio", "hop", 0), ("audio", "f_min", -1.0),
    ("audio", "f_min", float("nan")), ("audio", "mel_bins", 0), ("audio", "mel_bins", 10**9),
    ("data", "prompt", "a sound"), ("data", "prompt", "{a}"), ("data", "prompt", "{} {}"), ("data", "pretrain", []),
    ("data", "pretrain", [""]), ("data", "pairs", None), ("data", "pairs", ["../x"]), ("data", "test", ["foley"]),
    ("data", "test", "foley 9"), ("data", "tagging_test", 3), ("data", "label_rule", "words"), ("data", "foley", None),
    *(("data", "class_groups", {"size": 3, "test_folds": [4], "captions_per_clip": 1} | change) for change in (
        {}, {"size": 2}, {"test_folds": []}, {"test_folds": [9]}, {"captions_per_clip": 0}, {"captions": "title"},
    )),
    *(("data", "foley", {
        "seed": 0, "pretrain_clips": 8, "pair_clips": 8, "test_clips": 6, "scenes": 24, "limit_classes": 8
    } | change) for change in (
        {"pretrain_clips": 0}, {"pair_clips": -1}, {"test_clips": 10**12}, {"scenes": 10**12}, {"limit_classes": 2},
        {"seed": 0.5},
    )),
]  # fmt: skip

TEXTS = {  # a file for `clapleak leaks`, and what the line names beside it
    "empty.csv": (b"", "no column of texts; found nothing"), "blank.csv": (b"  \n \n", "no column of texts"),
    "packed.csv.gz": (b"\x1f\x8b", "is packed; unpack it first"), "x.ZIP": (b"PK", "is packed; unpack it first"),
    "colour.csv": (b"\x1b[31mred\n1\n", "found [31mred, need"), "wide.csv": (b"x" * 9000, "...", "need one of caption"),
    "columns.csv": (b"a,b\n1,2\n", "no column of texts; found a, b"), "header.csv": (b"caption\n", "holds no text"),
    "more.csv": (b"caption\na dog, a cat\n", "row 1 has more fields than the header; quote"),
    "huge.csv": (b'caption\n"' + b"a" * 200_000 + b'"\n', "not a readable CSV"), "bytes.csv": (BINARY * 9, "column"),
    "open.csv": (b'caption\n"a dog\nb cat\n', "not a readable CSV", "quote that is not closed"),
    "quote.csv": (b'caption,x\n"a dog" barks,1\n', "not a readable CSV", "quote"), "lines.csv": (b"caption\n\n\n", "no text"),
    "nul.csv": (b"caption\nra\0in\n", "row 1 holds"), "short.csv": (b"x,caption\n1\n", "holds no text"),
    "twice.csv": (b"caption,caption\nrain,dog\n", "column 'caption' stands twice"),
    "semicolon.csv": (b"caption;x\nrain;1\n", "no column of texts; found caption;x"),
    "utf16.csv": ("caption\nrain\n".encode("utf-16"), "no column of texts"),
    "text.parquet": (b"no parquet", "not readable as Parquet"), "empty.parquet": (b"", "not readable as Parquet"),
    "half.parquet": (parquet(caption=["rain"])[:300], "not readable as Parquet"), "x.parquet": (parquet(a=[1]), "found a"),
    "none.parquet": (parquet(caption=[None]), "holds no text"), "number.parquet": (parquet(caption=[3]), "row 1 holds '3'"),
    "bytes.parquet": (parquet(caption=[b"\xff"]), "row 1 holds"), "map.parquet": (parquet(caption=[{"a": 1}]), "row 1 holds"),
    "twins.parquet": (parquet(caption=["rain"], Caption=["x"]), "column 'caption' stands twice"),
    "twins.jsonl": (b'{"text": "rain", "TEXT": "x"}\n', "column 'text' stands twice"),
    "text.jsonl": (b"no json\n", "not readable as JSON lines"), "empty.jsonl": (b"", "no column of texts"),
    "half.jsonl": (b'{"caption": "rain"}\n{"caption": "wi', "not readable as JSON lines"),
    "number.jsonl": (b"3\n", "no column of texts"), "list.jsonl": (b"[1, 2]\n", "no column of texts"),
    "deep.jsonl": (b'{"caption": ' + DEEP.encode() + b"}\n", "JSON lines"), "x.jsonl": (b'{"a": 1}\n', "found a"),
    "null.jsonl": (b'{"caption": null}\n', "holds no text"), "map.jsonl": (b'{"caption": {"a": 1}}\n', "row 1 holds"),
    "infinite.jsonl": (b'{"caption": 1e999}\n', "row 1 holds 'inf'"), "nested.jsonl": (b'{"caption": [["a"]]}\n', "row 1"),
    "bytes.jsonl": (b'{"caption": "\xff\xfe"}\n', "JSON lines"),
}  # fmt: skip
LABELS = {  # a file for --labels
    "no.txt": (b"\n", "no label"), "sign.txt": (b"dog\n--\n", "'--' holds no word"), "dots.txt": (b"...\n", "no word"),
    "bytes.txt": (BINARY, "holds no word"), "label.csv": (b"label\n\n", "no text"), "columns.csv": (b"a\n1\n", "found a"),
    "empty.csv": (b"", "no column of class names; found nothing"), "bytes.csv": (BINARY, "bytes.csv"),
    "latin.txt": ("café\n".encode("latin-1"), "is not in UTF-8"), "number.jsonl": (b'{"label": 3}\n', "row 1 holds '3'"),
    "list.json": (b'["dog"]', "list.json: no list of labels; give .csv, .tsv"), "x.yaml": (b"- dog", "no list of labels"),
}  # fmt: skip

RUN = ("metrics.json", "history.csv", "embeddings.npz", "map.npz")  # files of a run
METRICS = {  # metrics.json of a run: content, or fields that change, and what the line names
    "absent": (None, "not readable"), "empty": (b"", "not readable"), "half": (b'{"schema": 2, "pro', "not readable"),
    "list": (b"[]", "schema None, not 2"), "null": (b"null", "not readable"), "binary": (BINARY, "not readable"),
    "deep": (DEEP.encode(), "not readable"), "schema": ({"schema": 1}, "schema 1, not 2"),
    "lacks": (b'{"schema": 2}', "metrics.json: fields missing or of another kind: profile, pretraining, training, seed,"),
    "text": ({"schema": "2"}, "schema '2', not 2"), "nan": ({"accuracy": float("nan")}, "'NaN'"),
    "word": ({"accuracy": "x"}, "accuracy"), "seven": ({"accuracy": 7.0}, "accuracy and chance lie between 0 and 1"),
    "infinite": ({"chance": float("inf")}, "'Infinity'"), "nothing": ({"accuracy": None}, "accuracy"),
    "topology": ({"topology": None}, "topology"), "part": ({"topology": {"x_a-E_a": None}}, "not readable"),
    "profile": ({"profile": "mini"}, "holds mini/dirty-dirty/seed0, which belongs elsewhere"),
    "setup": ({"pretraining": "clean"}, "holds smoke/clean-dirty/seed0"), "seed": ({"seed": 3}, "dirty-dirty/seed3"),
    "html": ({"profile": "<script>"}, "which belongs elsewhere"), "letter": ({"seed": "0"}, "seed"),
    "group": ({"group": 1}, "group1-seed0, which belongs elsewhere"), "ids": ({"ids": []}, "another kind: ids"),
    "family": ({"ids": {}}, "runs have other data"), "spaces": ({"silhouette": {}}, "not readable"),
    "data": ({"data": []}, "another kind: data"), "pairs": ({"data": {}}, "not readable ('pairs')"),
    "kind": ({"synthetic": "yes"}, "synthetic"), "origin": ({"provenance": 3}, "provenance"),
    "centroid": ({"centroid_accuracy": 3}, "not readable"),
}  # fmt: skip
HISTORIES = {
    "absent": None, "empty": b"", "binary": BINARY, "columns": b"a,b\n1,2\n", "short": b"phase,epoch,val_loss\nfrozen,0,1\n",
}  # fmt: skip
CLOUDS = {  # embeddings.npz of a run of 4 classes and 16 clips: content, or arrays that change
    "absent": None, "empty": b"", "text": b"PK broken", "npy": npy(np.zeros(3)), "bare": npz(), "bomb": bomb(),
    "pickle": pickle.dumps({"E_a": 1}), "objects": {"E_a": np.array([{}], dtype=object)}, "missing": {"E_t": None},
    "nan": {"E_a": np.full((16, 12), np.nan, np.float16)}, "rows": {"E_a": np.ones((3, 12), np.float16)},
    "words": {"E_a": np.full((16, 12), "x")}, "labels": {"labels": np.full(16, 90)}, "scalar": {"E_a": np.float16(3)},
    "spaces": {"E_t": np.ones((4, 3), np.float16)}, "classes": {"classes": np.array(["a"])}, "letters": {"labels": None},
}  # fmt: skip
MAPS = {"empty": b"", "half": npz(E_a=np.ones((16, 2)))[:150], "missing": npz(E_a=np.ones((16, 2))),
        "axes": npz(E_a=np.ones((16, 2)), E_t=np.ones(4)), "words": npz(E_a=np.array(["x"]), E_t=np.array(["x"]))}  # fmt: skip

E4, Y4, NAN = np.eye(4), np.arange(4), np.full((4, 4), np.nan)
ARRAYS = [  # function of clapleak.metrics, its arguments, and what the line says
    *(("silhouette", (cloud, np.array([0, 0, 1, 1])), "finite real numbers") for cloud in (
        NAN, E4 * np.inf, E4.astype(bool), E4.astype(complex), E4.astype(str), E4.astype(object), np.ones(4), np.empty((0, 4)), 3, None,
    )),
    *(("silhouette", (E4, labels), "4 integers from 0") for labels in (
        Y4[:3], Y4 - 1, Y4 + 0.5, Y4.astype(str), Y4[None], None,
    )),
    ("silhouette", (E4, np.array([0, 1, 2**63 + 5, 0], np.uint64)), "4 integers from 0"),
    *(("silhouette", (cloud, Y4 % 2), "no array of real numbers") for cloud in (
        torch.ones(4, 4, requires_grad=True), torch.ones(4, 4, dtype=torch.bfloat16), [[1, 2], [1], [2], [3]],
    )),
    ("silhouette", (E4, [[0], [1, 2], [0], [1]]), "no array of real numbers"),
    ("silhouette", (E4, Y4), "needs 2 to 3 classes"), ("silhouette", (E4, 0 * Y4), "needs 2 to 3 classes"),
    ("zero_shot_accuracy", (E4, np.eye(3), Y4), "one space"), ("zero_shot_accuracy", (E4, E4[:3], Y4), "a row of text_emb"),
    ("zero_shot_accuracy", (E4, E4[:1], 0 * Y4), "at least 2 classes"), ("zero_shot_accuracy", (E4, NAN, Y4), "finite"),
    ("class_means", (E4, Y4 * 2), "class 1 of 0..6 has no point"), ("centroid_accuracy", (NAN, Y4), "finite"),
    *(("centroid_accuracy", (E4, Y4, names), "recordings must be 4 names") for names in (
        ["a"], 3, ["a", None, "b", "c"], [1, np.nan, 2, 3], [["a"]] * 4,
    )),
    *(("probe_accuracy", (E4, Y4, test, truth, *dims), part) for test, truth, dims, part in (
        (np.eye(3), Y4[:3], (), "one space"), (E4, Y4, (9,), "dims 9"), (E4, Y4, ("2",), "dims '2'"),
        (E4, Y4[:3], (), "a label a point"), (E4, Y4[None], (), "a label a point"), (NAN, Y4, (), "finite"),
    )),
    ("probe_accuracy", (E4, 0 * Y4, E4, Y4), "2 classes"), ("probe_accuracy", (E4, ["a", None, "b", "c"], E4, Y4), "a label"), ("neighborhood_overlap", (E4, E4[:3]), "one number of points"),
    ("neighborhood_overlap", (E4[:2], E4[:2]), "at least 3"), ("neighborhood_overlap", (NAN, E4), "finite"),
    ("topological_similarity", (E4, NAN), "finite"),
]  # fmt: skip


def write(folder: Path) -> None:
    """FILES below a folder, and what a file cannot be: folders, circles and devices in the place of one."""
    for name, content in (FILES | REFERENCES).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "folder.yaml").mkdir()
    (folder / "place" / "meta" / "esc50.csv").mkdir(parents=True)
    for name in ("loop.yaml", "loop.csv", "circle"):
        (folder / name).symlink_to(name)
    (folder / "zero.yaml").symlink_to("/dev/zero")
