"""The report of an audit as one HTML file without network: report.html, filled by jinja2, whose script draws charts."""

from operator import itemgetter
from pathlib import Path

from jinja2 import Environment


def page(found: dict) -> str:
    """The page of an audit's JSON; the template escapes every text that comes from a user."""
    template = Path(__file__).with_name("report.html").read_text("utf-8")
    compared = [c for c in found["classes"] if {"seen", "zero_shot"} <= c.keys()]
    compared.sort(key=itemgetter("seen", "zero_shot"), reverse=True)
    dots = [_mark(c["name"], {"value": c["zero_shot"]}, c["seen"], f", {'un' * (not c['seen'])}seen") for c in compared]
    environment = Environment(autoescape=True, trim_blocks=True)
    return environment.from_string(template).render(found, dots=dots, marks=_marks, sound=_sound)


def _marks(labels: dict[str, str], measures: dict[str, dict]) -> list[dict]:
    """Those measures that there are, in the order of the labels."""
    return [_mark(label, measures[name], name == "zero_shot") for name, label in labels.items() if name in measures]


def _mark(label: str, measure: dict, orange: bool, more: str = "") -> dict:
    """A row of a table or chart: the measure, its label, its text, and whether it is drawn orange or blue."""
    edges = measure.get("interval") or measure.get("chance")
    word = "" if "interval" in measure else "chance "
    text = f"{measure['value']:.2f}" + (f" [{word}{edges[0]:.2f}, {edges[1]:.2f}]" if edges else "")
    return {**measure, "label": label, "text": text + more, "orange": orange}


def _sound(path: str) -> tuple[str, str]:
    """The name of a sound, and where it can be played, if it is on this machine."""
    return Path(path).name, Path(path).resolve().as_uri() if Path(path).is_file() else ""
