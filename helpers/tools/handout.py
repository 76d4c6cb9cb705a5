"""How a lesson looks on paper: one HTML file that needs nothing else, for `python -m helpers print`."""

import base64
import html
import io
import mimetypes
import re
from pathlib import Path

import nbformat
from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from helpers.tools.covering import answers, asks, without_claims, without_description

CSS = Path(__file__).with_name("handout.css")
COLUMNS = 96  # characters of 8 points that fit on a line; longer lines are set smaller, and beyond 6 points they wrap
SHORT = 30  # lines that are kept on one page
LINES = '<div class="lines">' + 7 * "<i></i>" + "</div>"  # to write a function on
WIDGET = "application/vnd.jupyter.widget-view+json"
CHECK = re.compile(r'check\("([A\d]+\.\d+)",\s*(\w*)')


def page(path: Path, teacher: bool = False) -> str:
    """A lesson with its stored outputs as one page: with lines to fill in, or with the answers."""
    cells = nbformat.read(path, as_version=4).cells
    solutions = _solutions(path) if teacher else {}
    parts = []
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(words(cell.source, path))
            if asks(cell) and not teacher:
                parts.append(_line("My guess:"))
            continue
        asked = CHECK.search(cell.source)
        covered = answers(cell) and not teacher
        source = without_description(without_claims(cell.source)[0]) if covered else cell.source
        outputs = [] if asked else ([_line("What came out:")] if covered else _outputs(cell, path))
        parts += [_code(source, leads=bool(outputs or asked)), *outputs]
        if asked and teacher:
            parts.append(f'<div class="answers"><b>Answer {asked[1]}</b>{"".join(solutions[asked[1]])}</div>')
        elif asked:
            parts.append(_line(f"{asked[1]}:") if asked[2].startswith("answer") else LINES)
    title = html.escape(re.search(r"^# (.+)$", cells[0].source, re.MULTILINE)[1])
    style = CSS.read_text(encoding="utf-8") + HtmlFormatter(style="default").get_style_defs("pre")
    # (the formatter's own background would hide ours)
    style = re.sub(r"^pre \{ background.*$", "", style, flags=re.MULTILINE)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>\n{style}\n</style></head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def words(source: str, path: Path) -> str:
    """Markdown as HTML: formulas and pictures inside the page, links to other pages as plain words."""
    formulas = []

    def keep(match: re.Match) -> str:
        formulas.append(match[1])
        return f"\n\nFORMULA{len(formulas) - 1}ALUMROF\n\n"

    text = markdown2html(re.sub(r"\$\$(.+?)\$\$", keep, source, flags=re.DOTALL))
    text = re.sub(r'<a class="anchor-link".*?</a>', "", text)
    text = re.sub(r'<a href="(?!https?:)[^"]*">(.*?)</a>', r"\1", text, flags=re.DOTALL)
    text = re.sub(r'<img src="(?!data:|https?:)([^"]+)"', lambda m: f'<img src="{_data(path.parent / m[1])}"', text)
    for number, latex in enumerate(formulas):
        text = re.sub(rf"<p>FORMULA{number}ALUMROF</p>", lambda _, latex=latex: _formula(latex), text)
    return re.sub(r"<table>(?=\s*<thead>\s*<tr>(?:\s*<th[^>]*>[^<]*</th>){6,})", '<table class="wide">', text)


def _code(source: str, leads: bool) -> str:
    marked = highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n")
    return _pre("code", source, marked, " leads" if leads else "")


def _outputs(cell, path: Path) -> list[str]:
    """What the cell stored, as paper can show it: a widget is left to the picture that follows it."""
    if any(WIDGET in output.get("data", {}) for output in cell.outputs):
        return []
    found, printed = [], ""
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            printed += output.text
            continue
        if printed.strip():
            found.append(_printed(printed))
        printed = ""
        if "image/png" in data:
            alt = html.escape(output.metadata.get("image/png", {}).get("alt", ""), quote=True)
            found.append(f'<figure><img alt="{alt}" src="data:image/png;base64,{data["image/png"].strip()}"></figure>')
        elif "text/markdown" in data:
            found.append(words(data["text/markdown"], path))
        elif "text/html" in data:
            found.append(data["text/html"])
        elif "text/plain" in data:
            found.append(_printed(data["text/plain"]))
    return [*found, _printed(printed)] if printed.strip() else found


def _printed(text: str) -> str:
    return _pre("output", text.strip("\n"), html.escape(text.strip("\n")))


def _pre(kind: str, source: str, marked: str, more: str = "") -> str:
    lines = source.splitlines() or [""]
    size = max(6.0, min(8.0, 8.0 * COLUMNS / max(map(len, lines)))) if lines else 8.0
    more += " short" if len(lines) <= SHORT else ""
    smaller = f' style="font-size: {size:.2f}pt"' if size < 8 else ""
    return f'<pre class="{kind}{more}"{smaller}>{marked}</pre>'


def _line(label: str) -> str:
    return f'<div class="line">{html.escape(label)}</div>'


def _solutions(path: Path) -> dict[str, list[str]]:
    """Exercise → its worked solution: the words under its heading, code, what it printed, and what is said after it."""
    found, parts = {}, []
    solved = path.parent / "solutions" / path.name
    if not solved.exists():
        return found
    for cell in nbformat.read(solved, as_version=4).cells:
        if cell.cell_type == "markdown":
            if heading := re.match(r"#+ [^\n]*\n*", cell.source):
                parts = []
            parts.append(words(cell.source[heading.end() if heading else 0 :], solved))
            continue
        asked = CHECK.search(cell.source)
        if asked and parts in found.values():  # two exercises under one heading
            parts = []
        outputs = _outputs(cell, solved)
        parts += [_code(cell.source, leads=bool(outputs)), *outputs]
        if asked:
            found[asked[1]] = parts
    return found


def _data(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _formula(latex: str) -> str:
    """A formula as a drawing, by matplotlib, which knows most of LaTeX's mathematics; its alt is the LaTeX.

    It has no braces under a term: what stands below one is set below the term. ValueError for what it does not know.
    """
    from matplotlib import mathtext
    from matplotlib.font_manager import FontProperties

    plain = " ".join(latex.split())
    known = plain.replace("\\frac", "\\dfrac")
    while "\\underbrace{" in known:
        known = _underset(known)
    drawing = io.BytesIO()
    try:
        mathtext.math_to_image(f"${known}$", drawing, prop=FontProperties(size=15), format="svg")
    except ValueError as error:
        raise ValueError(f"the formula {plain} cannot be drawn: {str(error).splitlines()[-1]}") from error
    source = base64.b64encode(drawing.getvalue()).decode()
    return f'<img class="formula" alt="{html.escape(plain, quote=True)}" src="data:image/svg+xml;base64,{source}">'


def _underset(latex: str) -> str:
    r"""The first \underbrace{A}_{B} as \underset{B}{A}."""
    start = latex.index("\\underbrace{")
    over, end = _braces(latex, start + len("\\underbrace"))
    under, end = _braces(latex, end + 1)  # after the _
    return f"{latex[:start]}\\underset{{{under}}}{{{over}}}{latex[end:]}"


def _braces(text: str, start: int) -> tuple[str, int]:
    """What stands in the braces that open at `start`, and the place after them."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1
    raise ValueError(f"a brace is not closed in {text}")
