"""Who may import whom: the arrows of the house run one way, and no file grows out of sight."""

import ast
import io
import re
import tokenize
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT

HELPERS = ROOT / "helpers"
CORE = sorted(HELPERS.glob("*.py"))
ROOMS = sorted(path.name for path in (HELPERS / "lessons").iterdir() if (path / "__init__.py").exists())
NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]

# A file imports only from floors below its own, or from its own floor what stands to its left.
FLOORS = [
    ["threads", "claims", "__init__"],
    ["data", "photos", "batches"],
    ["efficientnet", "models", "costs"],
    ["evaluation", "latency", "checkpoints", "training"],
    ["results", "plots", "explorer", "exercises", "code_exercises"],
    ["studies", "recipes"],
    ["__main__"],
]
ORDER = [name for floor in FLOORS for name in floor]


def modules(tree: ast.AST, package: str = "") -> set[str]:
    """Every module of this project that a file imports by name, wherever in the file: "helpers.data", …"""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [start, node.module]))
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "helpers"}


def imports_of(path: Path) -> set[str]:
    package = ".".join(["helpers", *path.relative_to(HELPERS).parent.parts])
    return modules(ast.parse(path.read_text(encoding="utf-8")), package)


def core_of(names: set[str]) -> set[str]:
    """The names of core files among imported modules; helpers itself is __init__."""
    known = {path.stem for path in CORE}
    parts = {name: name.split(".") for name in names}
    return {part[1] if len(part) > 1 and part[1] in known else "__init__" for part in parts.values()
            if len(part) < 2 or part[1] not in ("lessons", "tools")}  # fmt: skip


def test_the_reader_of_imports_sees_every_kind():
    code = "import helpers.data\ndef f():\n    from helpers.tools import bench\nfrom . import x\n"
    code += "from ..lesson_02 import y\n"
    assert modules(ast.parse(code), "helpers.lessons.lesson_01") == {
        "helpers.data", "helpers.tools", "helpers.tools.bench", "helpers.lessons.lesson_01",
        "helpers.lessons.lesson_01.x", "helpers.lessons.lesson_02", "helpers.lessons.lesson_02.y",
    }  # fmt: skip
    assert core_of({"helpers.data", "helpers.DATA", "helpers", "helpers.tools.bench"}) == {"data", "__init__"}


def test_every_core_file_has_its_floor():
    assert sorted(ORDER) == sorted(path.stem for path in CORE), "a new file of the core: on which floor does it stand?"


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_imports_neither_rooms_nor_tools_and_only_from_below(path):
    """(exercises.py and __main__.py find rooms and tools by name when they are asked for one: no import.)"""
    names = imports_of(path)
    assert not {name for name in names if name.startswith(("helpers.lessons", "helpers.tools"))}
    above = {name for name in core_of(names) - {path.stem} if ORDER.index(name) >= ORDER.index(path.stem)}
    assert not above, f"{path.name} imports {', '.join(above)}, which stand above it"


def test_only_two_files_of_the_core_import_by_name():
    by_name = {path.stem for path in CORE if "import_module" in path.read_text(encoding="utf-8")}
    assert by_name == {"exercises", "__main__"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_other_room_and_no_tools(room):
    mine, others = f"helpers.lessons.{room}", [f"helpers.lessons.{other}" for other in ROOMS if other != room]
    for path in (HELPERS / "lessons" / room).rglob("*.py"):
        for name in imports_of(path):
            assert not name.startswith("helpers.tools"), f"{path.name} imports a tool"
            assert not any(name == other or name.startswith(f"{other}.") for other in others), f"{path.name}: {name}"
            assert not name.startswith("helpers.lessons") or name.startswith(mine) or name in (
                "helpers.lessons", "helpers.lessons.explorers_of"
            ), f"{path.name}: {name}"  # fmt: skip


@pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()
)
def test_a_notebook_imports_no_tools_and_no_other_lesson_s_room(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    code = "\n".join(re.sub(r"^\s*[%!].*$", "", cell, flags=re.MULTILINE) for cell in cells)
    number = re.match(r"(\d\d|appendix_\w)", path.stem)[0]
    mine = f"lesson_{number}" if number.isdecimal() else number
    for name in modules(ast.parse(code)):
        assert not name.startswith("helpers.tools"), name
        if name.startswith("helpers.lessons."):
            assert name.split(".")[2] == mine, f"{path.name} uses the room of another lesson: {name}"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def lines_of_code(path: Path) -> int:
    """Lines that hold code: neither empty nor comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    quiet = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in quiet]
    held = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            held -= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    return len(held)


def test_the_core_stays_small():
    sizes = {path.name: lines_of_code(path) for path in CORE}
    assert sum(sizes.values()) <= 3_000, f"{sum(sizes.values())} lines of code: {sizes}"


def test_no_file_grows_out_of_sight():
    long = {path.relative_to(ROOT).as_posix(): lines(path) for path in HELPERS.rglob("*.py") if lines(path) > 400}
    assert not long, f"more than 400 lines: {long}"


def test_lines_of_code_are_counted_without_words(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""What."""\n\n# why\nx = (1,\n     2)\n\n\ndef f():\n    """Says."""\n    return x\n'
    )
    assert lines_of_code(tmp_path / "a.py") == 4
