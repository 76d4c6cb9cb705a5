"""Write the first line of code of every notebook: `import helpers`, and what to do where it is not found.

A page that travels alone, by mail or to another computer, stops at its first line with ModuleNotFoundError, and shows
that line: so the advice stands on it. The repository's address comes from pyproject.toml, `[project.urls]`, where it
may be empty. Only this line of a file is changed, nothing is executed: stored outputs stay.
"""

import json
import re
import tomllib

from helpers import ROOT

WIDEST = 88
FIRST = re.compile(r'"import helpers(?:  #(?:[^"\\\n]|\\.)*?)?\\n"')


def arguments(parser) -> None:
    pass


def run(options, log) -> int:
    first = line()
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        before = path.read_text(encoding="utf-8")
        after = changed(before, first)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            log(str(path.relative_to(ROOT)))
    return 0


def address() -> str:
    """Where the repository lies, from pyproject.toml; empty as long as nobody has written it there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "")


def line(where: str | None = None) -> str:
    """The first line of every notebook; ValueError for an address that makes it wider than a line of code may be."""
    where = address() if where is None else where
    way = f": {where}" if where else ", set up by README.md"
    text = f"import helpers  # not found? Open this page in its repository{way}"
    if len(text) > WIDEST:
        raise ValueError(f"[project.urls] Repository is {len(text) - WIDEST} characters too long for the first line")
    return text


def changed(notebook: str, first: str) -> str:
    """The text of a notebook with this first line in place of the first `import helpers`, and nothing else changed."""
    text = json.dumps(first + "\n", ensure_ascii=False)
    return FIRST.sub(lambda _: text, notebook, count=1)
