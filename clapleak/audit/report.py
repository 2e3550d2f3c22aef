"""The report of an audit as one HTML file without network: report.html, filled by jinja2, whose script draws charts."""

from pathlib import Path

from jinja2 import Environment

LADDER = {
    "centroid_floor": "spectrum, class-centroid labels", "probe_floor": "spectrum, linear probe",
    "zero_shot": "zero-shot", "centroid_E_a": "E_a, class-centroid labels",
    "centroid_x_a": "x_a, class-centroid labels", "probe_E_a": "E_a, linear probe", "probe_x_a": "x_a, linear probe",
}  # fmt: skip
GENERALISED = {"U": "unseen classes, U", "S": "seen classes, S", "H": "harmonic mean, H"}
OTHERS = {
    "efficiency": "A / M(E_a)", "silhouette_x_a": "silhouette of x_a", "silhouette_E_a": "silhouette of E_a",
    "S_x_a_x_t": "S of x_a and x_t", "S_E_a_E_t": "S of E_a and E_t", "modality_gap": "modality gap",
}  # fmt: skip
SHOWN = 50  # rows of a table


def page(found: dict) -> str:
    """The page; the template escapes every text that comes from a user."""
    template = Environment(autoescape=True, trim_blocks=True).from_string(
        Path(__file__).with_name("report.html").read_text("utf-8")
    )
    compared = [c for c in found["classes"] if {"seen", "zero_shot"} <= c.keys()]
    dots = [
        _mark(c["name"], {"value": c["zero_shot"]}, c["seen"], ", seen" if c["seen"] else ", unseen")
        for c in sorted(compared, key=lambda c: (c["seen"], c["zero_shot"]), reverse=True)
    ]
    return template.render(
        found,
        ladder=_marks(LADDER, found["measures"]),
        parts=_marks(GENERALISED, found["generalised"] or {}),
        others=_marks(OTHERS, {**found["measures"], **found["topology"]}),
        dots=dots,
        sound=_sound,
        shown=SHOWN,
    )


def _marks(labels: dict[str, str], measures: dict[str, dict]) -> list[dict]:
    names = [name for name in labels if name in measures]
    return [_mark(labels[name], measures[name], name == "zero_shot") for name in names]


def _mark(label: str, measure: dict, orange: bool, more: str = "") -> dict:
    """A row of a table or chart: the measure, its label, its text, and whether it is drawn orange or blue."""
    edges = measure.get("interval") or measure.get("chance")
    word = "" if "interval" in measure else "chance "
    text = f"{measure['value']:.2f}" + (f" [{word}{edges[0]:.2f}, {edges[1]:.2f}]" if edges else "")
    return {**measure, "label": label, "text": text + more, "orange": orange}


def _sound(path: str) -> tuple[str, str]:
    """The name of a sound, and where it can be played, if it is on this machine."""
    return Path(path).name, Path(path).resolve().as_uri() if Path(path).is_file() else ""
