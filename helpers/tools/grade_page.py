"""The teacher's page of a graded class: for each exercise, how many share which misunderstanding."""

import html
import re
from collections import Counter, defaultdict

from helpers.tools import outcomes, submission
from helpers.tools.handout import CSS

NAMES = {"right": "right", "wrong": "wrong in a way of their own", "open": "not answered", "changed": "changed",
         "broken": "could not be run"}  # fmt: skip
STYLE = """
body { padding: 8mm 0; } h2 { margin-top: 2em; }
.exercise { break-inside: avoid; margin: .8em 0 1.2em; }
.row { display: grid; grid-template-columns: 92mm 1fr; gap: 3mm; align-items: center; margin: .6mm 0; font-size: 9pt; }
.row > span { text-align: right; line-height: 1.2; overflow-wrap: anywhere; }
.bar { display: flex; align-items: center; gap: 1.5mm; }
.bar > i { display: block; height: 3.6mm; background: #999;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.right > .bar > i { background: #009e73; } .known > .bar > i { background: #d55e00; }
.open > .bar > i { background: white; border: .3mm solid #777; } .known > span { font-weight: bold; }
td.n { text-align: right; } .small { font-size: 8.5pt; color: #444; }
"""


def page(grades: list) -> str:
    """The grades as one HTML page that needs nothing else. Words from notebooks are shown as text, never as HTML."""
    lessons = defaultdict(lambda: defaultdict(list))
    for grade in grades:
        lessons[grade.lesson][grade.exercise].append(grade)
    order = list(submission.asked())
    names = {number: name for one in outcomes.pages() for _, number, name in one["exercises"]}
    places = sorted(lessons, key=lambda stem: order.index(stem) if stem in order else len(order))
    parts = [f"<h1>What the class misunderstood</h1>{_most(grades)}"]
    for stem in places:
        files = {grade.file for rows in lessons[stem].values() for grade in rows}
        count = f"{len(files)} notebook{'s' * (len(files) != 1)}"
        parts.append(f"<h2>{html.escape(stem.replace('_', ' ') or 'Files that are no page of the series')}</h2>"
                     f'<p class="small">{count}</p>')  # fmt: skip
        parts += [
            _exercise(f"{number} · {names.get(number, '')}", rows) for number, rows in lessons[stem].items() if number
        ]
    parts.append(_students(grades))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>What the class misunderstood</title>\n'
        f"<style>\n{CSS.read_text(encoding='utf-8')}{STYLE}</style></head>\n<body>\n{''.join(parts)}\n</body>\n</html>\n"
    )


def rows_of(grades: list) -> list[tuple[str, str, int]]:
    """(state, words, how many) of one exercise: right first, then misconceptions by their number, then the rest."""
    states, known = Counter(grade.result for grade in grades), Counter()
    for grade in grades:
        if grade.result == "known":
            known[grade.words] += 1
    rows = [("right", NAMES["right"], states["right"])]
    rows += [("known", words, count) for words, count in sorted(known.items(), key=lambda one: (-one[1], one[0]))]
    return rows + [(s, NAMES[s], states[s]) for s in ("wrong", "open", "changed", "broken") if states[s]]


def _exercise(heading: str, grades: list) -> str:
    rows = rows_of(grades)
    lines = []
    for state, words, count in rows:
        width = 60 * count / len(grades)
        lines.append(f'<div class="row {state}"><span>{html.escape(words)}</span>'
                     f'<div class="bar"><i style="width: {width:.1f}mm"></i>{count}</div></div>')  # fmt: skip
    return f'<div class="exercise"><h3>{html.escape(heading.rstrip(" ·"))}</h3>{"".join(lines)}</div>'


def _most(grades: list) -> str:
    """The three misunderstandings that most share, in a list."""
    known = Counter((grade.exercise, grade.words) for grade in grades if grade.result == "known")
    shared = [(one, count) for one, count in sorted(known.items(), key=lambda pair: (-pair[1], pair[0])) if count > 1]
    if not shared:
        return "<p>No two answers share a known misunderstanding.</p>"
    items = "".join(f"<li>{html.escape(number)}, {count} answers: {html.escape(words)}</li>"
                    for (number, words), count in shared[:5])  # fmt: skip
    return f"<p>Begin the next hour with what most of them share:</p><ol>{items}</ol>"


def _students(grades: list) -> str:
    """A table: student, right, wrong, open, and what should be looked at by eye."""
    table = defaultdict(Counter)
    notes = defaultdict(list)
    for grade in grades:
        table[grade.student][grade.result] += 1
        if grade.result in ("changed", "broken"):
            words = f"{grade.exercise} {grade.words}".strip()
            if grade.words not in " ".join(notes[grade.student]):
                notes[grade.student].append(words[:110])
    rows = []
    for name in sorted(table, key=_natural):
        counts = table[name]
        cells = [counts["right"], counts["known"] + counts["wrong"], counts["open"]]
        numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        look = html.escape("; ".join(notes[name][:3]) + ("; …" if len(notes[name]) > 3 else ""))
        rows.append(f"<tr><td>{html.escape(name)}</td>{numbers}<td>{look}</td></tr>")
    return ("<h2>Students</h2><table><thead><tr><th>student</th><th>right</th><th>wrong</th><th>open</th>"
            f"<th>to be looked at</th></tr></thead><tbody>{''.join(rows)}</tbody></table>")  # fmt: skip


def _natural(name: str) -> list:
    return [int(part) if part.isdigit() else part.casefold() for part in re.split(r"(\d+)", name)]
