"""How often the audit calls a clean model leaky, and how well it finds leaks of known size.

Run `python benchmarks/audit_power.py`. It writes results/audit/null.csv (share of random splits into seen and unseen
classes that raise an alarm, the seen classes as easy as the others or easier) and results/audit/planted.csv (gain of
accuracy by names of a share of the classes, true and found, and how often it is called evidence).
"""

import argparse
import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from tqdm import tqdm

from clapleak import leakage, metrics, results, texts
from clapleak.audit import Clouds, audit, measures, verdicts
from clapleak.config import find_root

CLASSES, LEVEL, SHARES = 50, 0.05, (0, 0.1, 0.3, 0.5, 0.7, 0.9)
NAMES = tuple(f"class {i}" for i in range(CLASSES))


def world(seed: int, leaks: np.ndarray | None = None, *, blur: float = 2.5, clips: int = 40) -> Clouds:
    """A made-up model whose classes overlap more or less; its texts are off the sounds but for those that leak."""
    rng, size = np.random.default_rng(seed), 64
    centres = 0.8 * rng.normal(size=(8, size))[rng.integers(8, size=CLASSES)] + rng.normal(size=(CLASSES, size))
    spread, y = rng.uniform(0.8, 3, CLASSES), np.repeat(np.arange(CLASSES), clips)
    x = centres[y] + spread[y][:, None] * rng.normal(size=(len(y), size))
    far, near = (centres + width * rng.normal(size=(CLASSES, size)) for width in (blur, 0.6))
    text = far if leaks is None else np.where(leaks[:, None], near, far)
    recordings = np.array([f"freesound/{i // 2}" for i in range(len(y))])
    return Clouds(y, NAMES, x_a=x, E_a=x, x_t=text[None], E_t=text[None], recordings=recordings)


def made_up(leaks: np.ndarray | None, seed: int) -> Clouds:
    return world(seed, leaks)


def drawn(share: float, seed: int, weight: np.ndarray | None = None) -> np.ndarray:
    """A random share of the classes, (C,) bool; those with more weight are drawn more often."""
    chosen = np.random.default_rng(seed).choice(CLASSES, round(share * CLASSES), replace=False, p=weight)
    return np.isin(np.arange(CLASSES), chosen)


def alarms(model: Clouds, easier: float, splits: int, share: float = 0.3) -> tuple[float, float]:
    """Of a clean model: share of random splits with an alarm, and the mean gap before anything is adjusted.

    `easier` is how much more often classes whose sounds separate well are among the seen ones; 0 is not at all.
    """
    found = pd.DataFrame(audit(model).json["classes"])
    values, cover = verdicts.compared(found, "x_a")
    ease = found["centroid_x_a"].to_numpy()
    weight = np.exp(easier * (ease - ease.mean()) / ease.std())
    several = [drawn(share, seed, weight / weight.sum()) for seed in range(splits)]
    ps = [measures.freedman_lane(values, cover, seen, i) for i, seen in enumerate(several)]
    return float(np.mean(np.array(ps) <= LEVEL)), float(
        np.mean([values[s].mean() - values[~s].mean() for s in several])
    )


Model = Callable[[np.ndarray | None, int], Clouds]  # from which classes leak, (C,) bool or None, and a seed


def yamnet() -> tuple[Model, np.ndarray]:
    """YAMNet on ESC-50 as in notebooks/audit.py, with names of the leaking classes alone; which classes have any."""
    held = np.load(find_root() / "results" / "audit" / "yamnet.npz")
    classes, names, scores = held["classes"].tolist(), held["names"].tolist(), held["scores"].astype(float)
    vectors, E_t = texts.sentences(names), texts.sentences(classes)
    found = leakage.find_leaks(names, classes, "ontology")
    clean = ~(leakage.find_leaks(names, classes)["leaks"] | found["leaks"]).to_numpy()
    means = np.array([[name in meant for meant in found["classes"]] for name in classes])  # (C, names)

    def model(leaks: np.ndarray | None, seed: int) -> Clouds:
        kept = clean if leaks is None else clean | means[leaks].any(axis=0)
        some = scores[:, kept]
        E_a = np.where(some >= np.sort(some, axis=1)[:, [-10]], some, 0) @ vectors[kept]
        x_a, recordings = held["x_a"].astype(float), held["recordings"].astype(str)
        return Clouds(held["labels"].astype(int), tuple(classes), x_a, E_a, None, E_t[None], recordings, name="YAMNet")

    return model, means.any(axis=1)


def trained() -> dict[str, Clouds]:
    """Models of this book on synthetic sounds whose captions name no class."""
    found = {}
    for slug in ("dirty-clean", "clean-clean", "none-clean"):
        run = results.read_run(results.folder("mini") / slug / "seed0")
        x_a, E_a, E_t = (run.embeddings[name].astype(float) for name in ("x_a", "E_a", "E_t"))
        classes, y = tuple(run.embeddings["classes"].tolist()), run.embeddings["labels"].astype(int)
        found[slug] = Clouds(y, classes, x_a, E_a, None, E_t[None], name=slug)
    return found


def planted(share: float, seed: int, model: Model, able: np.ndarray) -> tuple[float, float, bool]:
    """True gain of accuracy, the size by the audit, and whether it calls evidence, at random classes that leak."""
    seen = drawn(share or 0.3, seed, able / able.sum())
    clean, leaky = model(None, seed), model(seen if share else None, seed)
    verdict = audit(leaky, seen, alpha=LEVEL, seed=seed).json["verdicts"]["labels"]
    gain = np.subtract(*(metrics.zero_shot_accuracy(c.E_a, c.E_t[0], c.labels) for c in (leaky, clean)))
    return float(gain), verdict.get("size", np.nan), verdict["state"] == verdicts.EVIDENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=50, help="made-up models")
    parser.add_argument("--splits", type=int, default=1000, help="random splits of a kind of model")
    parser.add_argument("--draws", type=int, default=20, help="choices of leaking classes a share")
    options = parser.parse_args()
    folder = find_root() / "results" / "audit"
    real, able = yamnet()
    made = [world(seed) for seed in range(options.worlds)]
    kinds = {f"{options.worlds} made-up models": made, "YAMNet on ESC-50": [real(None, 0)]}
    kinds |= {f"{slug}, synthetic sounds": [model] for slug, model in trained().items()}
    rows = []
    for (kind, several), easier in tqdm(list(itertools.product(kinds.items(), (0, 1)))):
        each = options.splits // len(several)
        found = np.mean([alarms(model, easier, each) for model in several], axis=0)
        rows.append((kind, easier, each * len(several), *found))
    table = pd.DataFrame(rows, columns=["model", "easier", "splits", "alarms", "raw gap"])
    table.round(4).to_csv(folder / "null.csv", index=False)
    rows = []
    for name, model, classes in (("made-up models", made_up, np.ones(CLASSES)), ("YAMNet on ESC-50", real, able)):
        for share in tqdm(SHARES, name):
            runs = np.array([planted(share, seed, model, classes) for seed in range(options.draws)])
            rows.append((name, share, options.draws, *np.nanmean(runs, axis=0), np.nanstd(runs[:, 1] - runs[:, 0])))
    table = pd.DataFrame(rows, columns=["model", "share", "draws", "gain", "found", "evidence", "error"])
    table.round(4).to_csv(folder / "planted.csv", index=False)


if __name__ == "__main__":
    main()
