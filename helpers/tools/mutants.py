"""Would a test notice? Breaks helpers/ in one place at a time, in a copy, and runs the tests of the broken file.

A mutant is a comparison, an operator, a number, a word, a condition or the order of two arguments changed, or an
argument or a call left out; they are drawn at random with a fixed seed. What survives is printed as it comes: a
mutant that changes what a reader sees, or what a row says, wants a test. Takes a minute or two a mutant.
"""

import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers import ROOT

SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
SKIPPED = (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom, ast.arg)  # what they say is for errors and types


ALSO = {  # tests of a file under another name
    "data": ["download"], "models": ["imagenet_weights"], "training": ["optimizer"], "checkpoints": ["interrupted"],
    "ranks": ["together"], "handout": ["print"], "jupyters": ["doctor"], "grade_page": ["grade"],
    "entry_test": ["quiz"], "quiz_items": ["quiz"], "plain": ["submission"], "outcomes": ["quiz"],
}  # fmt: skip


class Mutant(NamedTuple):
    """One place of one file, changed."""

    path: Path  # below ROOT
    line: int
    start: int  # bytes of the file that are replaced
    end: int
    old: str
    new: str

    def applied_to(self, blob: bytes) -> bytes:
        """The file's bytes with the change."""
        return blob[: self.start] + self.new.encode() + blob[self.end :]

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}  {' '.join(self.old.split())}  →  {' '.join(self.new.split())}"


def mutants_of(path: Path, source: str) -> list[Mutant]:
    """Every mutant of one file."""
    lines = source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    found = []
    for node, new in _changes(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        found.append(Mutant(path, node.lineno, start, end, source.encode()[start:end].decode(), new))
    return found


def _changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """(node, what stands there instead) of everything below `node` that can be changed."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, SKIPPED) or (isinstance(child, ast.keyword) and child.arg == "help"):
            continue
        if child is getattr(node, "returns", None):
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):  # a docstring
            continue
        place = child.test if isinstance(child, (ast.If, ast.While)) else child
        yield from ((place, f"({new})" if isinstance(child, ast.expr) else new) for new in _instead_of(child))
        if isinstance(child, ast.AnnAssign):
            child = ast.Tuple([child.value] if child.value else [])
        yield from _changes(child)


def _instead_of(node: ast.AST) -> Iterator[str]:
    def changed(**fields) -> str:
        return ast.unparse(type(node)(**{**dict(ast.iter_fields(node)), **fields}))

    match node:
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            yield changed(ops=[SWAPS[type(op)]()])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            yield changed(op=SWAPS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield ast.unparse(node.operand)
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value)):
            yield repr(value + 1)
        case ast.Constant(value=float(value)):
            yield repr(2 * value or 1.0)
        case ast.Constant(value=str(value)) if value:
            yield repr(f"XX{value}")
        case ast.IfExp():
            yield changed(body=node.orelse, orelse=node.body)
        case ast.Call():
            for place in range(len(node.keywords)):
                if node.keywords[place].arg:
                    yield changed(keywords=node.keywords[:place] + node.keywords[place + 1 :])
            if len(node.args) >= 2 and not any(isinstance(value, ast.Starred) for value in node.args[:2]):
                yield changed(args=[node.args[1], node.args[0], *node.args[2:]])
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield "pass"
        case ast.If() | ast.While():
            yield f"not ({ast.unparse(node.test)})"


def tests_of(path: Path, root: Path = ROOT) -> list[str]:
    """The test files that stand for a file of helpers/; in a lesson's folder those that name it, or else all."""
    _, *folders, name = path.with_suffix("").parts
    tests = root / "tests"
    if folders[:1] == ["lessons"] and len(folders) == 2:
        every = sorted((tests / "lessons" / folders[1]).glob("test_*.py"))
        found = [file for file in every if re.search(rf"\b{name}\b", file.read_text(encoding="utf-8"))] or every
        found += [tests / "series" / "test_exercise_keys.py"] * (name == "exercises")
    elif folders == ["tools"] or name == "__main__":
        names = ["command"] if name == "__main__" else [name, *ALSO.get(name, [])]
        found = [file for each in names for file in sorted((tests / "tools").glob(f"test_{each}*.py"))]
    else:
        name = (
            "*exercises"
            if folders == ["exercises"]
            else folders[0]
            if folders[:1] in (["explorer"], ["photos"])
            else name
        )
        patterns = [f"test_{each}*.py" for each in (name, *ALSO.get(name, []))]
        found = [file for pattern in patterns for file in sorted((tests / "core").glob(pattern))]
    return [file.relative_to(root).as_posix() for file in found]


def arguments(parser) -> None:
    parser.add_argument("--count", type=int, default=20, help="so many mutants, 20 if not said")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", default="helpers", metavar="PATH", help="a file or folder of helpers/")


def draw(count: int, seed: int, only: str = "helpers", root: Path = ROOT) -> list[Mutant]:
    """So many different mutants, each place as likely as any other; in the order of the files."""
    top = root / only
    files = sorted(top.rglob("*.py")) if top.is_dir() else [top]
    every = [each for file in files for each in mutants_of(file.relative_to(root), file.read_text(encoding="utf-8"))]
    if not every:
        raise ValueError(f"{only} has nothing to change: name a file or folder of helpers/")
    return sorted(random.Random(seed).sample(every, min(count, len(every))))


def run(options, log) -> int:
    chosen, outcomes, untouched = draw(options.count, options.seed, options.only), Counter(), {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for name in ("helpers", "tests", "data", "notebooks"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "runs", "downloads"))
        for path in (*ROOT.glob("*.*"), ROOT / "conftest.py"):
            if path.is_file():
                shutil.copy(path, copy)
        for mutant in chosen:
            tests = tests_of(mutant.path)
            if tuple(tests) not in untouched:
                untouched[tuple(tests)] = try_tests(copy, tests)
            passes, seconds = untouched[tuple(tests)]
            outcome = "no tests" if not tests else "the tests fail anyway"
            if passes:
                source = (copy / mutant.path).read_bytes()
                try:
                    (copy / mutant.path).write_bytes(mutant.applied_to(source))
                    outcome = "survived" if try_tests(copy, tests, 60 + 4 * seconds)[0] else "killed"
                finally:
                    (copy / mutant.path).write_bytes(source)
            outcomes[outcome] += 1
            log(f"{outcome:9} {mutant}")
    print(f"{len(chosen)} mutants: {', '.join(f'{number} {outcome}' for outcome, number in outcomes.items())}")
    return 0


def try_tests(folder: Path, tests: list[str], seconds: float = 1800) -> tuple[bool, float]:
    """(whether these test files pass there in this time, the seconds that it took)."""
    if not tests:
        return False, 0.0
    command = [sys.executable, "-m", "pytest", "-o", "addopts=--import-mode=importlib", "-x", "-q",
               "-p", "no:cacheprovider", *tests]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    try:
        passed = not subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=seconds
        ).returncode
    except subprocess.TimeoutExpired:
        passed = False
    return passed, time.monotonic() - started
