"""After *Run All* every displayed explorer stands as its text says: checks turn a second one, which is not shown."""

import ast

import nbformat
import pytest

from helpers import ROOT

NOTEBOOKS = [p for p in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts]


def turned(cells: list[str]) -> list[str]:
    """The calls that turn an explorer while it is the one on the page."""
    shown, found = set(), []
    for source in cells:
        body = ast.parse(source).body
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Assign):
                    shown -= {target.id for target in node.targets if isinstance(target, ast.Name)}
                elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("set", "act", "guess"):
                    if getattr(node.func.value, "id", "") in shown:
                        found.append(ast.unparse(node))
                elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "display":
                    shown |= {one.id for one in node.args if isinstance(one, ast.Name) and "explorer" in one.id}
        if body and isinstance(body[-1], ast.Expr) and "explorer" in getattr(body[-1].value, "id", ""):
            shown.add(body[-1].value.id)
    return found


def test_a_turned_explorer_is_seen():
    made, shown = "explorer = cost_explorer()\nexplorer", "seen = explorer.set(kernel=7).result"
    assert turned([made, shown]) == ["explorer.set(kernel=7)"]
    assert turned(["display(explorer)", "for n in (1, 3):\n    explorer.act('x')"]) == ["explorer.act('x')"]
    assert turned([made, "second = cost_explorer()\nsecond.set(kernel=7)"]) == []
    assert turned([made, "explorer = other_explorer()", "explorer.set(a=1)"]) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())
def test_no_page_turns_the_explorer_it_shows(path):
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    plain = ["\n".join(line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!"))) for cell in code]
    assert turned(plain) == []
