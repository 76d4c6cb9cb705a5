"""What a learner's copy, on screen or on paper, does not show before it has been run: what answers a *Predict*."""

import ast

ANSWERS = "answers-prediction"  # the tag of cells whose output answers a Predict
LONG = 60  # letters: a title has fewer, a description more


def asks(cell) -> bool:
    """Does this cell ask for a guess?"""
    return cell.cell_type == "markdown" and "**Predict" in cell.source


def answers(cell) -> bool:
    """Is what this cell puts out an answer to a guess?"""
    return cell.cell_type == "code" and ANSWERS in cell.metadata.get("tags", ())


def without_claims(source: str) -> tuple[str, str]:
    """(the code of a cell without its claims, the claims): `helpers.claim(…)` says in words what will come out."""
    lines, claims = source.splitlines(), []
    for node in reversed(_calls(source, "helpers", "claim")):
        here = slice(node.lineno - 1, node.end_lineno)
        claims.insert(0, "\n".join(lines[here]))
        del lines[here]
    return "\n".join(lines).rstrip(), "\n".join(claims)


def describes(source: str) -> bool:
    """Does the code say what its figure shows, as the alternative text of a picture does?"""
    return bool(_texts(source))


def without_description(source: str) -> str:
    """The code with … in place of such a text."""
    lines = source.encode().splitlines()  # ast counts bytes
    for text in reversed(_texts(source)):
        first, last = text.lineno - 1, text.end_lineno - 1
        around = lines[first][: text.col_offset], lines[last][text.end_col_offset :]
        lines[first : last + 1] = ['"…"'.encode().join(around)]
    return b"\n".join(lines).decode()


def _texts(source: str) -> list[ast.expr]:
    """Texts of LONG letters and more in a cell's code, but for those that are printed and docstrings."""
    try:
        waiting, found = [ast.parse(source)], []
    except SyntaxError:
        return []
    while waiting:
        node = waiting.pop()
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        letters = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if sum(map(len, letters)) >= LONG:
            found.append(node)
        elif not (
            (isinstance(node, ast.Call) and ast.unparse(node.func) == "print")
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ):
            waiting += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _calls(source: str, module: str, name: str) -> list[ast.Expr]:
    """The statements `module.name(…)` of a cell, not those inside loops; none where it is no plain Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return []
    return [
        node
        for node in body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == f"{module}.{name}"
    ]
