"""The experiments: which leaks the pre-training and the cross-modal training keep (section 2.2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from clapleak.files import ClapleakError, nearest, read_yaml


@dataclass(frozen=True)
class Filter:
    """What a training set keeps of its leaks (section 2.2; all but "dirty" and "clean" are not in the paper)."""

    share: float | None = 0.0  # of the leaking rows that stay; None: as many rows as "clean" keeps, drawn from all rows
    sounds: bool = False  # a row leaks also when a target class sounds in its clip, whatever its text says
    by_clip: bool = False  # all rows of a clip go when one of them leaks


FILTERS = {
    "dirty": Filter(share=1.0),
    "clean": Filter(),  # the paper's rule: no word of a target's name
    "matched": Filter(share=None),
    **{f"leak{percent}": Filter(share=percent / 100) for percent in (25, 50, 75)},
    "clean_by_clip": Filter(by_clip=True),
    "truly_clean": Filter(sounds=True),
    "truly_clean_by_clip": Filter(sounds=True, by_clip=True),
}


@dataclass(frozen=True)
class Setup:
    """One experiment: two names in `FILTERS`; `pretraining` may also be "none" or one of `OTHER_NETWORKS`."""

    pretraining: str
    training: str

    @property
    def slug(self) -> str:
        """Name in folders, pages and legends: pre-training first, training second."""
        return f"{self.pretraining}-{self.training}"

    @property
    def figure(self) -> str:
        """Panel of the paper's Figure 2, "2a" to "2f"; "" for a control."""
        return "2" + "abcdef"[SETUPS.index(self)] if self in SETUPS else ""

    @classmethod
    def parse(cls, slug: str) -> Self:
        """Setup of a slug such as "dirty-clean"; ClapleakError for any other word."""
        known = {f"{p}-{t}": cls(p, t) for t in FILTERS for p in ("none", *FILTERS, *OTHER_NETWORKS)}
        if slug not in known:
            listed = f"{nearest(slug, known)}; the paper's are {', '.join(setup.slug for setup in SETUPS)}"
            raise ClapleakError(f"unknown setup '{slug}'{listed}")
        return known[slug]


# audio encoders of others beside dirty, clean and none (not in paper); see `clapleak.models.networks`
OTHER_NETWORKS = ("aisfx", "soundnet", "random_byola", "random_aisfx", "random_soundnet")
PRETRAININGS = ("dirty", "clean", "none")
TRAININGS = ("dirty", "clean")
SETUPS = tuple(Setup(p, t) for t in TRAININGS for p in PRETRAININGS)  # the paper's order, Figure 2a-f
MATCHED = tuple(Setup(p, "matched") for p in PRETRAININGS)
LEAK_SHARES = ("clean", "leak25", "leak50", "leak75", "dirty")
SHARES = tuple(Setup("clean", t) for t in LEAK_SHARES)
CLEANER = tuple(Setup(p, "truly_clean") for p in PRETRAININGS)
SURFACE = tuple(Setup(p, t) for p in LEAK_SHARES for t in LEAK_SHARES)
NETWORK_SETUPS = tuple(Setup(p, t) for p in (*PRETRAININGS, *OTHER_NETWORKS) for t in ("dirty", "clean", "truly_clean"))
CONTROLS = {"matched": MATCHED, "shares": SHARES[1:-1], "cleaner": CLEANER}  # not in paper
CONTROLS |= {"surface": tuple(setup for setup in SURFACE if setup not in (*SETUPS, *SHARES))}


def network_facts() -> dict[str, dict[str, str]]:
    """What is known of the audio encoders of others: networks.yaml, by name."""
    return read_yaml(Path(__file__).with_name("networks.yaml"))
