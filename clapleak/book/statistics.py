"""Intervals and verdicts of what the pages say, from class groups and seeds: a jackknife with Student's t."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Estimate:
    """A number with its interval of 95 %; where a single run is all there is both ends are NaN: nothing is decided."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "no results"
        ends = (self.low, self.high) if self.low < self.high else ()
        digits = 3 if any(0 < abs(end) < 0.005 for end in ends) else 2  # on which side of 0 an end lies must be seen
        value, *bounds = (f"{number:z.{digits}f}" for number in (self.value, *ends))  # z: no "-0.00"
        return f"{value} [{', '.join(bounds)}]" if bounds else value

    def __neg__(self) -> Self:
        return type(self)(-self.value, -self.high, -self.low)

    def __format__(self, spec: str) -> str:
        """As `str`; with "+" the number has its sign."""
        return ("+" if spec == "+" and self.value >= 0 else "") + str(self)

    @property
    def verdict(self) -> str:
        """What the number says of a claim that it is above 0: "holds", "contradicted" or "undecided"."""
        return "holds" if self.low > 0 else "contradicted" if self.high < 0 else "undecided"

    def words(self, above: str, below: str, between: str) -> str:
        """The words that fit: the whole interval is above 0, below 0, or neither is sure."""
        return {"holds": above, "contradicted": below}.get(self.verdict, between)


NOTHING = Estimate(np.nan, np.nan, np.nan)


def of(setup: str, less: str | None = None) -> Callable[[Any], Any]:
    """The effect of `estimate` that is the mean of one setup, or how much it lies above that of another."""
    return lambda means: means[setup] - (0 if less is None else means[less])


def estimates(values: pd.DataFrame, effects: Callable[[Any], list], level: float = 0.05) -> list[Estimate]:
    """Numbers that follow from the means of columns, such as `lambda m: [m["dirty-clean"] - m["clean-clean"]]`.

    `values` has a row a run, indexed by group and seed as `tables.by_setup` gives it; runs that lack a column are left
    out, so that the same groups and seeds stand behind all numbers. `effects` gets a Series of means, or a DataFrame
    with a row a set of means, and gives numbers or Series of as many. Groups hold other classes and recordings: they
    are the units of which an interval of 1 - `level` is made, and count alike; where there is one group, seeds are.
    """
    complete = values.dropna()
    if complete.empty:
        return [NOTHING for _ in effects(values.mean())]
    by_group = complete.groupby(level="group").mean()
    units = by_group if len(by_group) > 1 else complete
    found = [float(value) for value in effects(units.mean())]
    if len(units) == 1:
        return [Estimate(value, np.nan, np.nan) for value in found]
    without = effects((units.sum() - units) / (len(units) - 1))  # each unit in turn
    return [Estimate(value, *_ends(value, part, level)) for value, part in zip(found, without, strict=True)]


def _ends(value: float, without: Sequence[float], level: float = 0.05) -> tuple[float, float]:
    """Both ends of an interval, from the value and what it is without each unit in turn (Tukey's jackknife).

    For a mean it is Student's interval; that of a bootstrap is too narrow for the few units that we have.
    """
    from scipy.special import stdtrit  # slow to import, but not as scipy.stats

    n = len(without)
    reach = stdtrit(n - 1, 1 - level / 2) * (n - 1) / n**0.5 * np.std(without, ddof=1)
    return float(value - reach), float(value + reach)


def estimate(values: pd.DataFrame, effect: Callable[[Any], Any]) -> Estimate:
    """One number, as `estimates` gives several."""
    return estimates(values, lambda means: [effect(means)])[0]


def correlation(x: pd.Series, y: pd.Series, given: pd.Series | None = None) -> Estimate:
    """Pearson's r of two series over the points that all have, with Fisher's interval, from 4 points on.

    With `given` it is the partial correlation, of what a straight line in it leaves of both, from 5 points on.
    """
    table = pd.DataFrame({"x": x, "y": y} | ({} if given is None else {"given": given})).dropna()
    freedom = len(table) - table.shape[1] - 1
    if freedom < 1:
        return NOTHING
    if given is not None:
        for name in ("x", "y"):
            table[name] -= np.polyval(np.polyfit(table["given"], table[name], 1), table["given"])
    r = float(table[["x", "y"]].corr().iloc[0, 1])
    low, high = np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + np.array([-1.96, 1.96]) / np.sqrt(freedom))
    return Estimate(r, float(low), float(high))


def grouped_correlation(x: pd.Series, y: pd.Series, groups: Sequence) -> Estimate:
    """Pearson's r with an interval from leaving out whole groups of points in turn, such as all setups of one network.

    Points of a group are not independent, so that Fisher's interval would be too narrow. `groups` has a name a point.
    Fewer than 3 groups give no interval.
    """
    names = np.asarray(groups)
    parts = [slice(None), *(names != name for name in np.unique(names))]  # all, and all but each group in turn
    r, *without = (float(x[part].corr(y[part])) for part in parts)
    low, high = np.clip(_ends(r, without), -1, 1) if len(without) > 2 else (np.nan, np.nan)
    return Estimate(r, float(low), float(high))


def lead(y: pd.Series, one: pd.Series, other: pd.Series) -> Estimate:
    """How much more closely y follows one predictor than another: a difference of standardised coefficients.

    Both stand in one linear model, by least squares; the interval is Student's, from 5 points on.
    """
    from scipy.special import stdtrit  # slow to import

    table = pd.DataFrame({"y": y, "one": one, "other": other}).dropna()
    if len(table) < 5:
        return NOTHING
    scaled, freedom, contrast = (table - table.mean()) / table.std(ddof=0), len(table) - 3, np.array([1, -1])
    y, x = scaled["y"].to_numpy(), scaled[["one", "other"]].to_numpy()
    weights = np.linalg.pinv(x) @ y
    error = np.sqrt(((y - x @ weights) ** 2).sum() / freedom * contrast @ np.linalg.pinv(x.T @ x) @ contrast)
    gap, reach = float(contrast @ weights), float(stdtrit(freedom, 0.975) * error)
    return Estimate(gap, gap - reach, gap + reach)


def interaction(values: pd.DataFrame, x: Sequence[float], y: Sequence[float]) -> Estimate:
    """What two shares do together beyond the sum of what each does: d of a + b x + c y + d x y, by least squares.

    Column i of `values` (a row a run, as for `estimates`) was measured at the shares x_i and y_i, each from 0 to 1.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    weights = np.linalg.pinv(np.stack([np.ones_like(x), x, y, x * y], axis=1))[3]
    return estimate(values, lambda means: means @ pd.Series(weights, values.columns))
