"""The recounted tables of appendix A, filtered by family and by verdict."""

from html import escape

from matplotlib.figure import Figure

from helpers.explorer import Explorer, menu
from helpers.lessons.appendix_a.plots import PANELS, points, set_scales
from helpers.plots import COLOURS

ALL = "all"
LOOK = {  # verdict → colour and marker: told apart without colour too
    "by its table's convention": ("blue", "o"),
    "only by another convention": ("orange", "s"),
    "open": ("vermillion", "X"),
}
COLUMNS = {  # key of an entry → heading
    "family": "family",
    "width": "width",
    "resolution": "pixels",
    "mmacs": "MACs printed, M",
    "macs": "counted",
    "macs_by": "convention",
    "mparams": "parameters printed, M",
    "params": "counted",
    "params_by": "convention",
    "verdict": "verdict",
}
CELL = "padding:1px 10px 1px 0; white-space:nowrap; text-align:left"


def select(entries: list[dict], family: str = ALL, verdict: str = ALL) -> list[dict]:
    """The entries of one family and one verdict ("all" keeps everything), in the order of the tables."""
    return [e for e in entries if family in (ALL, e["family"]) and verdict in (ALL, e["verdict"])]


def table_html(entries: list[dict]) -> str:
    """The entries as a small HTML table, counts in millions; open rows in bold, the source in the row's tooltip."""
    head = "".join(f'<th style="{CELL}">{title}</th>' for title in COLUMNS.values())
    lines = []
    for entry in entries:
        shown = {**entry, "macs": f"{entry['macs'] / 1e6:.2f}", "params": f"{entry['params'] / 1e6:.3f}"}
        cells = "".join(f'<td style="{CELL}">{escape(str(shown[key]))}</td>' for key in COLUMNS)
        weight = "bold" if entry["verdict"] == "open" else "normal"
        lines.append(f'<tr title="{escape(entry["source"])}" style="font-weight:{weight}">{cells}</tr>')
    style = "border-collapse:collapse; font-size:12px; line-height:1.4"
    table = f'<table style="{style}"><tr>{head}</tr>{"".join(lines)}</table>' if entries else ""
    return f"<b>Rows: {len(entries)}.</b> Point at a row to see its source.{table}"


def draw_audit(entries: list[dict], chosen: list[dict]) -> Figure:
    """Printed against counted, as a relative difference, for MACs and parameters; rows that are not chosen in grey."""
    figure = Figure(figsize=(9.5, 4.6), layout="none")  # fixed margins: half the time of a computed layout
    axes = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.07, right=0.99, top=0.92, bottom=0.2, wspace=0.05)
    groups = [(entries, {"color": "#CCCCCC", "s": 14})]
    for verdict, (colour, marker) in LOOK.items():
        some = [e for e in chosen if e["verdict"] == verdict]
        style = {"color": COLOURS[colour], "marker": marker, "s": 70 if verdict == "open" else 34, "alpha": 0.85}
        if some:
            groups.append(
                (some, {**style, "edgecolor": "white", "linewidth": 0.6, "label": f"{verdict} ({len(some)})"})
            )
    for axis, (printed, counted, _, _) in zip(axes, PANELS, strict=True):
        for some, style in groups:
            axis.scatter(*points(some, printed, counted), **style)
    set_scales(axes)
    if chosen:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=3)
    return figure


def audit_explorer(entries: list[dict]) -> Explorer:
    """Filter the recounted rows: two menus, a plot of printed against counted, and the table itself.

    `entries` are the dictionaries that appendix A's `judge` makes (one a row, keys of `COLUMNS` and "source"); the
    verdicts shown are theirs. `e.set(family="mobilenet_v2", verdict="open")` turns the menus from code; `e.result`
    holds the entries that are left.
    Raises ValueError when there are no entries, or one lacks a key or has an unknown verdict.
    """
    if not entries:
        raise ValueError("audit_explorer needs at least one entry: give it the list that appendix A's judge makes")
    for number, entry in enumerate(entries):
        missing = [key for key in [*COLUMNS, "source"] if key not in entry]
        if missing:
            raise ValueError(f"entry {number} of the audit lacks {', '.join(missing)}")
        if entry["verdict"] not in LOOK:
            verdict = entry["verdict"]
            raise ValueError(f"entry {number} of the audit has the verdict {verdict!r}, not one of {list(LOOK)}")
    controls = {
        "family": menu("family", [ALL, *dict.fromkeys(e["family"] for e in entries)], ALL),
        "verdict": menu("verdict", [ALL, *LOOK], ALL),
    }
    return Explorer(
        controls,
        compute=lambda family, verdict: select(entries, family, verdict),
        draw=lambda chosen: draw_audit(entries, chosen),
        text=table_html,
        text_height=260,
    )


def example() -> Explorer:
    """Three invented entries, one of each verdict, for the tests of all explorers."""
    facts = [("small", "34", 30_213_000), ("small", "30", 30_213_000), ("large", "300", 300_774_000)]
    shared = {"width": "1", "resolution": "224", "mparams": "3.5", "params": 3_504_872}
    shared |= {"macs_by": "", "params_by": "", "source": "invented"}
    return audit_explorer(
        [{**shared, "family": f, "mmacs": m, "macs": n, "verdict": v} for (f, m, n), v in zip(facts, LOOK, strict=True)]
    )
