"""The recounted tables of appendix A, filtered by family and by verdict."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from html import escape

from matplotlib.figure import Figure

from helpers.explorer import Explorer, Picture, counting_button, look, menu
from helpers.lessons.appendix_a.plots import PANELS, points, set_scales
from helpers.plots import COLOURS

ALL = "all"
LOOK = {  # verdict → colour and marker: told apart without colour too
    "by its table's convention": ("blue", "o"),
    "only by another convention": ("orange", "s"),
    "open": ("vermillion", "X"),
}
COLUMNS = {  # heading → an entry's cell; counts in millions
    "row": lambda e: f"{e['family'].removeprefix('mobilenet_')} {e['width']} at {e['resolution']}",
    "MACs: printed, counted": lambda e: f"{e['mmacs']}, {e['macs'] / 1e6:.2f}",
    "convention of the MACs": lambda e: e["macs_by"],
    "parameters: printed, counted": lambda e: f"{e['mparams']}, {e['params'] / 1e6:.3f}",
    "convention of the parameters": lambda e: e["params_by"],
    "verdict": lambda e: e["verdict"],
}
KEYS = (
    "family",
    "width",
    "resolution",
    "mmacs",
    "macs",
    "macs_by",
    "mparams",
    "params",
    "params_by",
    "verdict",
    "source",
)
LINES = 6  # of the table at a time, so that it stands on one screen with controls and picture
CELL = "padding:0 8px 0 0; text-align:left; vertical-align:top"


@dataclass(frozen=True)
class Chosen:
    """The entries of one family and one verdict, in the order of the tables, and the part of them that is listed."""

    rows: list[dict]
    page: int  # from 0

    @property
    def listed(self) -> list[dict]:
        return self.rows[self.page * LINES :][:LINES]


def select(entries: list[dict], family: str = ALL, verdict: str = ALL, clicks: int = 0) -> Chosen:
    """The entries of one family and one verdict ("all" keeps everything); after the last page comes the first."""
    rows = [e for e in entries if family in (ALL, e["family"]) and verdict in (ALL, e["verdict"])]
    return Chosen(rows, clicks % max(1, -(-len(rows) // LINES)))


def table_html(chosen: Chosen) -> str:
    """The listed entries as a small HTML table, counts in millions; open rows in bold, the source in its tooltip."""
    head = "".join(f'<th style="{CELL}">{title}</th>' for title in COLUMNS)
    lines = []
    for entry in chosen.listed:
        cells = "".join(f'<td style="{CELL}">{escape(str(cell(entry)))}</td>' for cell in COLUMNS.values())
        weight = "bold" if entry["verdict"] == "open" else "normal"
        lines.append(f'<tr title="{escape(entry["source"])}" style="font-weight:{weight}">{cells}</tr>')
    style = "border-collapse:collapse; font-size:12px; line-height:1.3; width:100%"
    table = f'<table style="{style}"><tr>{head}</tr>{"".join(lines)}</table>' if lines else ""
    return f"{_counted(chosen)} Point at a row to see its source.{table}"


def told(chosen: Chosen) -> str:
    """The same without a table, for those who hear it."""
    names = [f"{e['family']} {e['width']} at {e['resolution']}: {e['verdict']}" for e in chosen.listed]
    return "; ".join([look.plain(_counted(chosen)), *names])


def _counted(chosen: Chosen) -> str:
    verdicts = Counter(entry["verdict"] for entry in chosen.rows)
    counts = "; ".join(f"{verdicts[verdict]} {verdict}" for verdict in LOOK if verdicts[verdict])
    start = chosen.page * LINES
    part = f" Listed: {start + 1} to {start + len(chosen.listed)}." if chosen.rows else ""
    return f"<b>Rows: {len(chosen.rows)}.</b> {counts}{'.' if counts else ''}{part}"


class AuditPicture(Picture):
    """Printed against counted, as a relative difference, for MACs and parameters; rows that are not chosen in grey.

    A ring marks the rows that the table lists.
    """

    def __init__(self, entries: list[dict]):
        self.figure = Figure(figsize=(9.5, 3.1), layout="none")
        axes = self.figure.subplots(1, 2, sharey=True)
        self.figure.subplots_adjust(left=0.07, right=0.99, top=0.91, bottom=0.26, wspace=0.08)
        self.marks, self.rings = [], []  # of each panel: verdict → its points; the listed rows
        for axis, (printed, counted, _, _) in zip(axes, PANELS, strict=True):
            axis.plot(*points(entries, printed, counted), "o", color="#CCCCCC", markersize=3.7)
            self.marks.append({})
            for verdict, (colour, marker) in LOOK.items():
                style = {"color": COLOURS[colour], "markersize": 8.4 if verdict == "open" else 5.8, "alpha": 0.85}
                style |= {"markeredgecolor": "white", "markeredgewidth": 0.6, "label": verdict}
                (self.marks[-1][verdict],) = axis.plot([], [], marker, linestyle="none", **style)
            ring = {"color": "black", "fillstyle": "none", "linestyle": "none", "markersize": 11, "label": "listed"}
            self.rings += axis.plot([], [], "o", **ring)
        set_scales(axes)
        self.figure.legend(handles=[*self.marks[0].values(), self.rings[0]], loc="lower center", ncols=4)
        self.moving = [marks for panel in self.marks for marks in panel.values()] + self.rings

    def update(self, chosen: Chosen) -> None:
        for panel, ring, (printed, counted, _, _) in zip(self.marks, self.rings, PANELS, strict=True):
            ring.set_data(*points(chosen.listed, printed, counted))
            for verdict, marks in panel.items():
                marks.set_data(*points([e for e in chosen.rows if e["verdict"] == verdict], printed, counted))


def audit_explorer(entries: list[dict]) -> Explorer:
    """Filter the recounted rows: two menus, a plot of printed against counted, and the table itself.

    `entries` are the dictionaries that appendix A's `judge` makes (one a row, keys `KEYS`); the
    verdicts shown are theirs. `e.set(family="mobilenet_v2", verdict="open")` turns the menus from code; `e.result`
    is a `Chosen`.
    Raises ValueError when there are no entries, or one lacks a key or has an unknown verdict.
    """
    if not entries:
        raise ValueError("audit_explorer needs at least one entry: give it the list that appendix A's judge makes")
    for number, entry in enumerate(entries):
        missing = [key for key in KEYS if key not in entry]
        if missing:
            raise ValueError(f"entry {number} of the audit lacks {', '.join(missing)}")
        if entry["verdict"] not in LOOK:
            verdict = entry["verdict"]
            raise ValueError(f"entry {number} of the audit has the verdict {verdict!r}, not one of {list(LOOK)}")
    controls = {
        "family": menu("family", [ALL, *dict.fromkeys(e["family"] for e in entries)], ALL),
        "verdict": menu("verdict", [ALL, *LOOK], ALL),
        "clicks": counting_button("next rows"),
    }
    picture = partial(AuditPicture, entries)
    return Explorer(controls, partial(select, entries), picture, table_html, alt=told, text_height=150)


def example() -> Explorer:
    """Nine invented entries, three of each verdict, for the tests of all explorers."""
    shared = {"width": "1", "resolution": "224", "mparams": "3.5", "macs_by": "", "params_by": "", "source": "invented"}
    facts = [("mobilenet_v1", "34"), ("mobilenet_v1", "30"), ("mobilenet_v2", "300")]
    return audit_explorer(
        [
            {
                **shared,
                "family": name,
                "mmacs": macs,
                "macs": int(macs) * more,
                "params": 3 * more,
                "verdict": verdict,
            }
            for more in (900_000, 1_000_000, 1_200_000)
            for (name, macs), verdict in zip(facts, LOOK, strict=True)
        ]
    )
