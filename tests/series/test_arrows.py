"""Who may import whom: the arrows of the house run one way, and no file grows out of sight."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT

HELPERS = ROOT / "helpers"
TOP = sorted(HELPERS.glob("*.py"))
CORE = [
    *TOP,
    *(
        path
        for folder in ("photos", "exercises", "explorer", "runs")
        for path in sorted(HELPERS.glob(f"{folder}/*.py"))
    ),
]
ROOMS = sorted(path.name for path in (HELPERS / "lessons").iterdir() if (path / "__init__.py").exists())
NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]

# A file imports only from floors below its own, or from its own floor what stands to its left.
FLOORS = [
    ["threads", "claims", "__init__", "ranks"],
    ["data", "photos.picture", "photos.folder", "photos", "batches"],
    ["alike", "efficientnet", "models", "costs"],
    ["evaluation", "latency", "checkpoints", "training"],
    [
        "results",
        "plots",
        "explorer.look",
        "explorer.controls",
        "explorer.picture",
        "explorer",
        "exercises.compare",
        "exercises.code",
        "exercises",
    ],
    ["runs", "runs.studies", "runs.together", "runs.anew", "runs.recipes"],
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


def name_of(path: Path) -> str:
    """A core file as it is imported: "data", "exercises" (the folder's __init__), "exercises.code"."""
    parts = path.relative_to(HELPERS).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def core_of(names: set[str]) -> set[str]:
    """The names of core files among imported modules; helpers itself is __init__."""
    known, found = {name_of(path) for path in CORE}, set()
    for name in names:
        first, *rest = name.split(".")[1:] or ["__init__"]
        if first not in ("lessons", "tools"):
            deep = ".".join([first, *rest[:1]])
            found.add(deep if deep in known else first if first in known else "__init__")
    return found


def test_the_reader_of_imports_sees_every_kind():
    code = "import helpers.data\ndef f():\n    from helpers.tools import bench\nfrom . import x\n"
    code += "from ..lesson_02 import y\n"
    assert modules(ast.parse(code), "helpers.lessons.lesson_01") == {
        "helpers.data", "helpers.tools", "helpers.tools.bench", "helpers.lessons.lesson_01",
        "helpers.lessons.lesson_01.x", "helpers.lessons.lesson_02", "helpers.lessons.lesson_02.y",
    }  # fmt: skip
    assert core_of({"helpers.data", "helpers.DATA", "helpers", "helpers.tools.bench"}) == {"data", "__init__"}
    assert core_of({"helpers.exercises.check", "helpers.exercises.code.Case"}) == {"exercises", "exercises.code"}


def test_every_core_file_has_its_floor():
    assert sorted(ORDER) == sorted(name_of(path) for path in CORE), (
        "a new file of the core: on which floor does it stand?"
    )


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_imports_neither_rooms_nor_tools_and_only_from_below(path):
    """(exercises.py and __main__.py find rooms and tools by name when they are asked for one: no import.)"""
    names = imports_of(path)
    assert not {name for name in names if name.startswith(("helpers.lessons", "helpers.tools"))}
    mine = name_of(path)
    above = {name for name in core_of(names) - {mine} if ORDER.index(name) >= ORDER.index(mine)}
    assert not above, f"{path.name} imports {', '.join(above)}, which stand above it"


def test_only_two_files_of_the_core_import_by_name():
    by_name = {name_of(path) for path in CORE if "import_module" in path.read_text(encoding="utf-8")}
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


def test_the_core_stays_small():
    sizes = {path.name: lines(path) for path in TOP}
    assert sum(sizes.values()) <= 3_000, f"{sum(sizes.values())} lines in helpers/*.py: {sizes}"


def test_no_file_grows_out_of_sight():
    long = {path.relative_to(ROOT).as_posix(): lines(path) for path in HELPERS.rglob("*.py") if lines(path) > 400}
    assert not long, f"more than 400 lines: {long}"
