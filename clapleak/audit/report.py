"""The report of an audit as one HTML file without network, from its JSON."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

LADDER = {
    "centroid_floor": "spectrum, class-centroid labels", "probe_floor": "spectrum, linear probe",
    "zero_shot": "zero-shot", "centroid_E_a": "E_a, class-centroid labels",
    "centroid_x_a": "x_a, class-centroid labels", "probe_E_a": "E_a, linear probe", "probe_x_a": "x_a, linear probe",
}  # fmt: skip
OTHERS = {
    "efficiency": "A / M(E_a)", "silhouette_x_a": "silhouette of x_a", "silhouette_E_a": "silhouette of E_a",
    "S_x_a_x_t": "S of x_a and x_t", "S_E_a_E_t": "S of E_a and E_t", "modality_gap": "modality gap",
}  # fmt: skip
KINDS = {"evidence of a leak": "evidence", "none found": "none"}
SHOWN = 50  # rows of a table


def page(found: dict) -> str:
    """The page; every text that comes from a user is escaped."""
    measures, classes = found["measures"], found["classes"]
    verdicts = "".join(
        f'<p class="verdict {KINDS.get(verdict["state"], "")}"><b>{name}</b>: {escape(verdict["sentence"])}</p>\n'
        for name, verdict in found["verdicts"].items()
    )
    opening = f"{found['clips']} clips of {len(classes)} classes from {found['recordings']} recordings."
    if "zero_shot" in measures:
        opening += f" Zero-shot accuracy {_figure(measures['zero_shot'])}; guessing gives {found['chance']:.2f}."
    by_prompt = "; ".join(f"{name}: {value:.2f}" for name, value in found["prompts"].items())
    generalised = found["generalised"]
    names = {"U": "unseen classes, U", "S": "seen classes, S", "H": "harmonic mean, H"}
    quoted = [c for c in classes if c.get("quotes")]
    return Template(Path(__file__).with_name("report.html").read_text("utf-8")).substitute(
        model=escape(found["model"]), opening=opening, verdicts=verdicts, alpha=found["alpha"], seed=found["seed"],
        ladder=_ladder(measures, found["chance"]), prompts=escape(f"By prompt: {by_prompt}." if by_prompt else ""),
        classes=_dots(classes) if "seen" in classes[0] and "zero_shot" in measures else "<p>Not tested.</p>",
        evidence=_table(
            ["class", "texts", "for example"],
            [[escape(c["name"]), c["texts"], " ".join(f"<q>{escape(q)}</q>" for q in c["quotes"])] for c in quoted],
        ),
        generalised=_table(
            ["all classes are answers", "accuracy"],
            [[names[key], _figure(generalised[key])] for key in names] if generalised else [],
        ),
        others=_table(
            ["measure", "value"],
            [[label, _figure(m)] for key, label in OTHERS.items() if (m := {**measures, **found["topology"]}.get(key))],
        ),
        duplicates=_table(
            ["class", "test", "training", "bits that differ"],
            [
                [escape(d["label"]), _player(d["test"]), _player(d["training"]), f"{d['errors']:.0%}"]
                for d in found["duplicates"]
            ],
        ),
        limits="".join(f"<li>{escape(note)}.</li>\n" for note in found["notes"]),
    )  # fmt: skip


def _figure(measure: dict) -> str:
    edges = measure.get("interval") or measure.get("chance")
    word = "" if "interval" in measure else "chance "
    return f"{measure['value']:.2f}" + (f" [{word}{edges[0]:.2f}, {edges[1]:.2f}]" if edges else "")


def _table(header: list[str], rows: list[list]) -> str:
    if not rows:
        return "<p>Nothing, or not tested.</p>"
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows[:SHOWN])
    more = f"<p>And {len(rows) - SHOWN} more, in audit.json.</p>" if len(rows) > SHOWN else ""
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>{more}'


def _player(path: str) -> str:
    """The name of a sound, and a player where the file is on this machine."""
    name = escape(Path(path).name)
    if not Path(path).is_file():
        return name
    source = escape(Path(path).resolve().as_uri())
    return f'{name}<br><audio controls preload="none" src="{source}" title="{name}"></audio>'


def _svg(height: int, marks: list[str], title: str) -> str:
    grid = [
        f'<line x1="{_x(t)}" x2="{_x(t)}" y1="0" y2="{height - 25}" stroke="#ddd"/>'
        f'<text x="{_x(t)}" y="{height - 8}" text-anchor="middle">{t:.1f}</text>'
        for t in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    return f'<svg viewBox="0 0 800 {height}" role="img" aria-label="{title}">{"".join(grid + marks)}</svg>'


def _x(value: float) -> float:
    return round(270 + 500 * value, 1)


def _mark(y: float, value: float, colour: str, title: str) -> str:
    return f'<circle cx="{_x(value)}" cy="{y}" r="5" fill="{colour}"><title>{escape(title)}</title></circle>'


def _ladder(measures: dict, chance: float) -> str:
    rows = [(label, measures[name]) for name, label in LADDER.items() if name in measures]
    height = 28 * len(rows) + 30
    x = _x(chance)
    marks = [f'<line x1="{x}" x2="{x}" y1="0" y2="{height - 25}" stroke="#222" stroke-dasharray="4"/>']
    for i, (label, measure) in enumerate(rows):
        y, (low, high) = 28 * i + 16, measure["interval"]
        colour = "#d55e00" if label == "zero-shot" else "#0072b2"
        marks += [
            f'<text x="260" y="{y + 4}" text-anchor="end">{label}</text>',
            f'<line x1="{_x(low)}" x2="{_x(high)}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            _mark(y, measure["value"], colour, f"{label}: {_figure(measure)}"),
        ]
    return _svg(height, marks, "Accuracy of every step")


def _dots(classes: list[dict]) -> str:
    rows = sorted(classes, key=lambda c: (c["seen"], c["zero_shot"]), reverse=True)
    marks = []
    for i, c in enumerate(rows):
        y, colour, kind = 17 * i + 12, *(("#d55e00", "seen") if c["seen"] else ("#0072b2", "unseen"))
        marks.append(f'<text x="260" y="{y + 4}" text-anchor="end">{escape(c["name"][:32])}</text>')
        marks.append(_mark(y, c["zero_shot"], colour, f"{c['name']}, {kind}: {c['zero_shot']:.2f}"))
    caption = "Zero-shot accuracy of every class: orange where the training texts name it, blue where they do not."
    return f"<p>{caption}</p>{_svg(17 * len(rows) + 35, marks, caption)}"
