"""What each page teaches, the exercises on it, and the quiz questions on these: one page, made from the pages."""

import html
import re

import nbformat

from helpers import ROOT
from helpers.exercises import Exercise, every_exercise
from helpers.tools import quiz_items
from helpers.tools.handout import CSS, words

EXERCISE = re.compile(r"^#{2,4} Exercise ([A\d]+\.\d+)\s*·?\s*(.*)$", re.MULTILINE)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def pages() -> list[dict]:
    """For each page: its title, the outcomes of its opening cell, and (section, number, name) of its exercises."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        goals = re.search(r"\*\*You will learn\*\*:?\s*(.+?)(?=\n\n\*\*|\Z)", cells[0], re.DOTALL)
        section, exercises = "", []
        for line in "\n".join(cells).splitlines():
            if asked := EXERCISE.match(line):
                exercises.append((section, asked[1], asked[2].strip()))
            elif head := SECTION.match(line):
                section = head[1]
        title = re.search(r"^# (.+)$", cells[0], re.MULTILINE)[1]
        found.append({"path": path, "title": title, "goals": goals[1] if goals else "", "exercises": exercises})
    return found


def page() -> str:
    """All of it as one HTML page that prints."""
    on: dict = {}
    for lesson in quiz_items.lessons():
        for item in quiz_items.items(lesson):
            on.setdefault(item.title.partition(" ")[0], []).append(item.title.partition(" ")[2])
    parts = ["<h1>Outcomes, exercises, quiz questions</h1>"]
    for one in pages():
        parts.append(f"<h2>{html.escape(one['title'])}</h2>{words(one['goals'], one['path'])}")
        rows = []
        for section, number, name in one["exercises"]:
            kind = "answer" if isinstance(every_exercise()[number], Exercise) else "code"
            cells = (section, f"{number} {name}", kind, ", ".join(on.get(number, [])) or "–")
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        if rows:
            head = "".join(f"<th>{name}</th>" for name in ("section", "exercise", "kind", "in the quiz"))
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Outcomes</title>\n'
        f"<style>{CSS.read_text(encoding='utf-8')}</style></head>\n<body>\n{''.join(parts)}\n</body>\n</html>\n"
    )
