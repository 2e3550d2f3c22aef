"""Find the threshold of the rule "meaning" in leak_judgements.csv: `python reference/calibrate_meaning.py`.

A label that means a test class in another form or another word should leak that class; a false hit of the word rule, or
a label that only lies below a class, should not. The threshold is the cosine where the share of right hits exceeds that
of wrong ones most. The labels were chosen because rules fail at them, so both shares are worse than on common labels.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from clapleak.texts import sentences


def calibrate() -> pd.DataFrame:
    """Shares of right and of wrong hits at every threshold, (threshold, right, wrong), the best first."""
    judged = pd.read_csv(Path(__file__).with_name("leak_judgements.csv"))
    means = judged["judgement"].isin(["other form", "other word"])
    labels, classes = (sentences(judged[column].tolist()) for column in ("label", "class"))
    cosines = (labels @ classes.T).diagonal()
    table = pd.DataFrame({"threshold": np.arange(0.3, 0.95, 0.05).round(2)})
    for name, part in (("right", cosines[means]), ("wrong", cosines[~means])):
        table[name] = [(part >= threshold).mean() for threshold in table["threshold"]]
    return table.loc[(table["wrong"] - table["right"]).sort_values(kind="stable").index]


if __name__ == "__main__":
    print(calibrate().round(2).to_string(index=False))
