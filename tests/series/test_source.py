"""What every file of code keeps: docstrings, and text files opened with their encoding named."""

import ast
import re

import nbformat
import pytest

from helpers import ROOT

HELPERS = sorted((ROOT / "helpers").rglob("*.py"))
PYTHON = [*HELPERS, *sorted((ROOT / "tests").rglob("*.py")), ROOT / "conftest.py"]
NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
# What is asked of these is said once, for all: of commands in helpers/__main__.py, of networks by PyTorch, of the two
# that move and tell an explorer's picture in helpers/explorer.
SAID_ELSEWHERE = ("arguments", "run", "forward", "update", "text")


def code_of(path) -> str:
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return re.sub(r"^\s*[%!].*$", "", "\n".join(cells), flags=re.MULTILINE)


def undescribed(tree: ast.Module | ast.ClassDef, inside: str = "") -> list[str]:
    """Public functions, classes and methods without a docstring; of properties the name and the class tell."""
    found = []
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        is_property = any("property" in ast.unparse(one) for one in node.decorator_list)
        if not ast.get_docstring(node) and node.name not in SAID_ELSEWHERE and not is_property:
            found.append(f"{inside}{node.name}")
        if isinstance(node, ast.ClassDef):
            found += undescribed(node, f"{node.name}.")
    return found


def without_encoding(tree: ast.AST) -> list[str]:
    """Calls that read or write text without naming its encoding: another on each system."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        match node.func:
            case ast.Name(id="open"):
                where, given = 1, 3
            case ast.Attribute(attr="read_text"):
                where, given = None, 0
            case ast.Attribute(attr="write_text"):
                where, given = None, 1
            case ast.Attribute(value=ast.Name(id="tarfile")):
                continue
            case ast.Attribute(attr="open") if not node.args or is_mode(node.args[0]):
                where, given = 0, 2
            case _:
                continue
        modes = [node.args[where]] if where is not None and len(node.args) > where else []
        modes += [word.value for word in node.keywords if word.arg == "mode"]
        binary = any(is_mode(mode) and "b" in mode.value for mode in modes)
        if not binary and len(node.args) <= given:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def is_mode(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(re.fullmatch(r"[rwaxbt+]{1,3}", str(node.value)))


def test_both_readers_see_what_is_missing():
    code = (
        "def f(): pass\nclass A:\n    'A.'\n    def g(self): pass\n    @property\n    def h(self): pass\ndef _i(): pass"
    )
    assert undescribed(ast.parse(code)) == ["f", "A.g"]
    bad = ["open(x)", "open(x, 'w')", "p.open()", "p.open('a')", "p.read_text()", "p.write_text(t)"]
    good = ["open(x, 'rb')", "open(x, encoding='utf-8')", "p.open('rb')", "p.read_text('utf-8')", "Image.open(x)",
            "p.write_text(t, encoding='utf-8')", "p.open(mode='wb')", "open(x, **how)"]  # fmt: skip
    assert len(without_encoding(ast.parse("\n".join(bad)))) == len(bad)
    assert not without_encoding(ast.parse("\n".join(good)))


@pytest.mark.parametrize("path", HELPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_public_has_a_docstring(path):
    tree = ast.parse(code_of(path))
    assert ast.get_docstring(tree) or not tree.body
    assert not undescribed(tree)


@pytest.mark.parametrize("path", [*PYTHON, *NOTEBOOKS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_is_read_and_written_with_its_encoding(path):
    assert not without_encoding(ast.parse(code_of(path)))
