"""What a student handed in: which answers a notebook holds, and what of its code these need. Nothing is run here but
by `evaluated`, which `contain.contained` calls."""

import ast
import json
import linecache
import re
from functools import cache
from pathlib import Path

import nbformat

from helpers import ROOT

MOST = 20 * 10**6  # bytes of a notebook
CHECK = re.compile(r'check\("([A\d]+\.\d+)"')
# Methods that change what they are called on.
CHANGES = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "sort", "clear", "discard"}
# Whoever names these looks the answer up; a solution needs none of them.
KEYS = {"EXERCISES", "every_exercise"}
KEY_ATTRIBUTES = KEYS | {"exercise", "reference", "misconceptions", "judge", "tried", "to_write"}
KEY_FILES = re.compile(r"\bexercises\b|\bto_write\b")
KEY_TEXTS = re.compile(r"lesson_\w+.(exercises|to_write)|/proc/|solutions/")


@cache
def asked() -> dict[str, list[str]]:
    """Lesson (its file's stem) → the numbers of its exercises, in the page's order."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        numbers = CHECK.findall("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
        if numbers:
            found[path.stem] = numbers
    return found


def content(path: Path) -> bytes:
    """The bytes of a notebook; ValueError, in words, for what is not even looked at."""
    if path.is_symlink() or not path.is_file():
        raise ValueError("a link or no file: not opened")
    if path.stat().st_size > MOST:
        raise ValueError(f"{path.stat().st_size / 1e6:,.0f} MB: too large to be a lesson, not opened")
    return path.read_bytes()


def read(text: bytes, name: str, lessons: dict[str, list[str]]) -> dict:
    """{"lesson": stem, "parts": {number: {"code": …, "keys": …}}} or {"problem": words}: from source code alone."""
    try:
        cells = json.loads(text)["cells"]
        sources = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
    except RecursionError:
        return {"problem": "not a notebook: nested beyond sense"}
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        return {"problem": f"not a notebook ({type(problem).__name__})"}
    trees = [_parsed(source) for source in sources]
    checks = [(number, cell) for cell, tree in enumerate(trees) if tree for number in _checks(tree)]
    lesson = lesson_of(name, {number for number, _ in checks}, lessons)
    if lesson is None:
        return {"problem": "no page of this series: none of its exercises, and a name that tells nothing"}
    parts = {}
    for number in lessons[lesson]:
        cells = [cell for other, cell in checks if other == number]
        if cells:
            code, needed = _slice(trees, cells[-1], number)
            parts[number] = {"code": code, "keys": needed} if code else {"gone": "its check stands elsewhere"}
        elif broken := next((s for s, t in zip(sources, trees, strict=True) if not t and f'"{number}"' in s), None):
            parts[number] = {"broken": _complaint(broken)}
        else:
            parts[number] = {"gone": "its cell is gone, or its check was changed"}
    return {"lesson": lesson, "parts": parts}


def _source(cell: dict) -> str:
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    return re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)[: 10**5]


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _complaint(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"SyntaxError: {error.msg}, in line {error.lineno} of its cell"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return "it is no Python"


def _asks(node: ast.stmt) -> str | None:
    """The number that a line `check("3.1", …)` asks for."""
    match node:
        case ast.Expr(ast.Call(func=ast.Name("check") | ast.Attribute(attr="check"), args=[ast.Constant(number), _])):
            return number if isinstance(number, str) else None
    return None


def _checks(tree: ast.Module) -> list[str]:
    return [number for node in tree.body if (number := _asks(node))]


def lesson_of(name: str, numbers: set[str], lessons: dict[str, list[str]]) -> str | None:
    """The page whose exercises these are; without any, the page that the file is named after."""
    common = {stem: len(numbers & set(there)) for stem, there in lessons.items()}
    best = max(common, key=common.get)
    if common[best]:
        return best
    return next((stem for stem in sorted(lessons, key=len, reverse=True) if stem in name), None)


def _slice(trees: list, cell: int, number: str) -> tuple[str, list[str]]:
    """The code of one answer, with `answer_given = …` in place of its check, and the keys that it names.

    All of the check's own cell above it, and of the cells before it the statements that bind what these need.
    """
    body = trees[cell].body
    place = max(i for i, node in enumerate(body) if _asks(node) == number)
    own = [node for node in body[:place] if not _asks(node)]
    last = ast.Assign([ast.Name("answer_given", ast.Store())], body[place].value.args[1], lineno=1)
    before = [node for tree in trees[:cell] if tree for node in tree.body if not _asks(node)]
    kept = _needed(before, [*own, last])
    code = ast.unparse(ast.fix_missing_locations(ast.Module([*kept, *own, last], [])))
    return code, sorted(_keys([*kept, *own, last]))


def _needed(before: list[ast.stmt], own: list[ast.stmt]) -> list[ast.stmt]:
    """Of the statements before, those that bind names which `own` uses, and which these use in turn."""
    kept, late = set(), set()  # late: names that functions use when they are called, after all is bound
    while True:
        wanted, here = set(late), set()
        for node in reversed(own):
            wanted = (wanted - _defined(node)) | _used(node)
        for node in reversed(before):
            if _bound(node) & wanted:
                here.add(node)
                wanted = (wanted - _defined(node)) | _used(node)
        more = {name for node in here if isinstance(node, (ast.FunctionDef, ast.ClassDef)) for name in _used(node)}
        if here <= kept and more <= late:
            return [node for node in before if node in kept]
        kept, late = kept | here, late | more


def _used(node: ast.AST) -> set[str]:
    """Names that a piece of code takes from outside: of a function, not its parameters and what it binds itself."""
    if isinstance(node, ast.ClassDef):
        parts = (*node.decorator_list, *node.bases, *node.keywords, *node.body)
        return {name for part in parts for name in _used(part)}
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    changed = (one.target for one in ast.walk(node) if isinstance(one, ast.AugAssign))
    found |= {target.id for target in changed if isinstance(target, ast.Name)}
    if isinstance(node, ast.FunctionDef):
        parts = [one for line in node.body for one in ast.walk(line)]
        own = {one.id for one in parts if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        own |= {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        shared = {name for one in parts if isinstance(one, ast.Global) for name in one.names}
        outside = {name for part in (*node.decorator_list, node.args) for name in _used(part)}
        found = (found - (own - shared)) | outside
    return found


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds or changes at the page's own level."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in one.names}
        elif isinstance(one, (ast.FunctionDef, ast.ClassDef)):
            found.add(one.name)
        elif isinstance(one, (ast.Subscript, ast.Attribute)) and isinstance(one.ctx, ast.Store):
            found |= _used(one.value)
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in CHANGES:
            found |= _used(one.func.value)
    return found


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement defines anew, whatever they were."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return _bound(node) if isinstance(node, (ast.Import, ast.ImportFrom)) else set()


def _keys(nodes: list[ast.stmt]) -> set[str]:
    """What in this code leads to the right answers; empty for whoever thinks."""
    found = set()
    for one in (one for node in nodes for one in ast.walk(node)):
        match one:
            case ast.Import(names) | ast.ImportFrom(names=names):
                for alias in names:
                    path = f"{getattr(one, 'module', None) or ''}.{alias.name}"
                    if "helpers" in path and KEY_FILES.search(path) and alias.name != "check":
                        found.add(alias.name)
            case ast.Name(name) if name in KEYS:
                found.add(name)
            case ast.Attribute(attr=name) if name in KEY_ATTRIBUTES:
                found.add(name)
            case ast.Constant(str(text)) if len(text) < 200 and KEY_TEXTS.search(text):
                found.add(text)
    return found


def evaluated(number: str, code: str) -> dict:
    """Run the code of one answer: {"value": …}, {"tried": words, "outcomes": […]} or {"error": words}."""
    from helpers.exercises import exercise
    from helpers.exercises.code import CodeExercise
    from helpers.tools import plain

    one, name = exercise(number), f"<{number}>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    names = {"__name__": "__main__", "display": lambda *things, **more: None}
    try:
        exec(compile(code, name, "exec"), names)
    except MemoryError:
        raise
    except BaseException as error:
        words = " ".join(str(error).split())[:200]
        return {"error": f"{type(error).__name__}: {words}" if words else type(error).__name__}
    given = names.get("answer_given")
    if not isinstance(one, CodeExercise):
        return {"value": plain.packed(given)}
    problem, outcomes = one.tried(given)
    return {"tried": problem, "outcomes": [plain.outcome_packed(outcome) for outcome in outcomes]}


def judged(number: str, told: dict) -> tuple[str, str]:
    """("right" | "known" | "wrong" | "open" | "broken", words): what `evaluated` told, held to the key in this process.

    "known" is a misconception that the exercise names: the words are its own.
    """
    from helpers.exercises import exercise
    from helpers.exercises.code import CodeExercise, objection
    from helpers.tools import plain

    one = exercise(number)
    if "error" in told:
        return "broken", str(told["error"])[:300]
    if not isinstance(one, CodeExercise):
        right, words = one.judge(plain.unpacked(told["value"]))
    elif told["tried"]:
        right, words = False, str(told["tried"])[:300]
    else:
        outcomes = [plain.outcome_unpacked(outcome) for outcome in told["outcomes"]]
        if not 0 < len(outcomes) <= len(one.cases):
            raise ValueError("that is no answer")
        for case, outcome in zip(one.cases, outcomes, strict=False):
            outcome.objection = None if outcome.error else objection(case, outcome.result)
        right, words = one.verdict(outcomes)
    if right:
        return "right", ""
    if words.startswith("Not answered yet"):
        return "open", ""
    known = [name for name in (one.mistakes if isinstance(one, CodeExercise) else one.misconceptions) if name in words]
    return ("known", known[0]) if known else ("wrong", words.removeprefix("Not yet: ").removeprefix("Not yet. "))
