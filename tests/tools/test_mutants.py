"""`python -m helpers mutants`: what is changed, which tests are asked, and that everything is as it was afterwards."""

import argparse
import ast
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.tools import mutants

SOURCE = '''"""A docstring is no mutant."""

def f(x: "a type", half=0.5):
    if x < 3 and not half:
        return g(x, half, key="é")
    raise ValueError("nor are the words of an error")
'''


def test_every_kind_of_mutant():
    found = mutants.mutants_of(Path("helpers/f.py"), SOURCE)
    assert [(one.line, one.old, one.new) for one in found] == [
        (3, "0.5", "(1.0)"),
        (4, "x < 3 and not half", "not (x < 3 and (not half))"),
        (4, "x < 3 and not half", "(x < 3 or not half)"),
        (4, "x < 3", "(x <= 3)"),
        (4, "3", "(4)"),
        (4, "not half", "(half)"),
        (5, 'g(x, half, key="é")', "(g(x, half))"),
        (5, 'g(x, half, key="é")', "(g(half, x, key='é'))"),
        (5, '"é"', "('XXé')"),
    ]


def test_a_mutant_is_code_and_differs():
    path = Path("helpers/tools/mutants.py")
    blob = (ROOT / path).read_bytes()
    for one in mutants.mutants_of(path, blob.decode()):
        changed = one.applied_to(blob)
        assert changed != blob and ast.dump(ast.parse(changed)) != ast.dump(ast.parse(blob)), one


def test_the_draw_is_the_seed_s():
    one, other = (mutants.draw(20, seed) for seed in (0, 1))
    assert one == mutants.draw(20, 0) != other and len(set(one)) == 20
    assert {mutant.path.as_posix() for mutant in mutants.draw(5, 0, "helpers/plots.py")} == {"helpers/plots.py"}
    with pytest.raises(ValueError, match="has nothing to change"):
        mutants.draw(5, 0, "helpers/runs/__init__.py")


@pytest.mark.parametrize(("path", "tests"), [
    ("helpers/plots.py", ["core/test_plots.py"]),
    ("helpers/data.py", ["core/test_data.py", "core/test_download.py"]),
    ("helpers/runs/studies.py", ["core/test_studies.py"]),
    ("helpers/exercises/compare.py", ["core/test_code_exercises.py", "core/test_exercises.py"]),
    ("helpers/__main__.py", ["tools/test_command.py"]),
    ("helpers/tools/results.py", ["tools/test_results_tool.py"]),
    ("helpers/lessons/lesson_07/pilot.py", ["lessons/lesson_07/test_pilot.py"]),
])  # fmt: skip
def test_the_tests_of_a_file(path, tests):
    found = mutants.tests_of(Path(path))
    assert {f"tests/{name}" for name in tests} <= set(found)
    assert all((ROOT / name).exists() for name in found)


def test_every_file_with_code_has_tests():
    files = [path.relative_to(ROOT) for path in (ROOT / "helpers").rglob("*.py") if path.name != "__init__.py"]
    assert not [path for path in files if not mutants.tests_of(path)]


def test_a_file_is_tried_in_a_copy_and_put_back(monkeypatch, capsys):
    original, seen, told = (ROOT / "helpers" / "photos" / "picture.py").read_bytes(), [], []

    def try_tests(folder, tests, seconds=1800):
        seen.append((folder / "helpers" / "photos" / "picture.py").read_bytes())
        assert "tests/core/test_photos.py" in tests and (folder / tests[0]).exists() and folder != ROOT
        return len(seen) != 2, 1.0  # untouched: passes; the first mutant is killed, the others are not

    monkeypatch.setattr(mutants, "try_tests", try_tests)
    assert mutants.run(argparse.Namespace(count=3, seed=0, only="helpers/photos/picture.py"), told.append) == 0
    assert seen[0] == original and original not in seen[1:] and len(set(seen)) == 4
    assert [line.split()[0] for line in told] == ["killed", "survived", "survived"]
    assert capsys.readouterr().out == "3 mutants: 1 killed, 2 survived\n"
    assert (ROOT / "helpers" / "photos" / "picture.py").read_bytes() == original


def test_tests_pass_fail_or_take_too_long(tmp_path):
    words = {"passes": "assert True", "fails": "assert False", "sleeps": "import time; time.sleep(60)"}
    for name, line in words.items():
        (tmp_path / f"test_{name}.py").write_text(f"def test_it():\n    {line}\n", encoding="utf-8")
    assert mutants.try_tests(tmp_path, ["test_passes.py"])[0]
    assert not mutants.try_tests(tmp_path, ["test_passes.py", "test_fails.py"])[0]
    assert not mutants.try_tests(tmp_path, ["test_sleeps.py"], 5)[0] and not mutants.try_tests(tmp_path, [])[0]
