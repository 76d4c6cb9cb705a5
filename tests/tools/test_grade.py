"""A class of thirty, some of them hostile: whatever a notebook holds, the grades of the others come."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT
from helpers.tools import contain, grade, grade_page, submission

PAGE = "03_depthwise_separable_convolution"
STRIDE = "That is 224 × 224 positions; stride 2 leaves half as many a side."
ONE_STEP = "Your windows start one pixel apart. With a stride they start at row · stride, column · stride."
ALL = dict.fromkeys(("3.1", "3.2", "3.3", "3.4", "3.5"), "right")


def loops(image="", body="while True: pass"):
    return f"def depthwise(image, weight, stride=1):\n    {body}"


# name → (exercise → what stands in place of `answer = None` or of the function, what is expected beside "right")
CLASS = {
    "Ada": ({}, {}),
    "Bo": ({"3.1": "answer = 43_352_064"}, {"3.1": ("known", STRIDE)}),
    "Chen": ({"3.1": "answer = 43.35e6"}, {"3.1": ("known", STRIDE)}),
    "王 小明": ({"3.1": "side = 224\nanswer = 32 * 27 * side**2"}, {"3.1": ("known", STRIDE)}),
    "Eve": ({"3.3": "answer = 20.9", "3.5": "answer = 9"}, {"3.3": "known", "3.5": "known"}),
    "Finn": ({"3.1": "answer = None", "3.4": "def conv_macs(layer, side):\n    ..."}, {"3.1": "open", "3.4": "open"}),
    "Gita": ({"3.2": "import torch.nn.functional as F\n" + loops(body="x = F.conv2d(image[None], weight[:, None], "
              "groups=len(image))[0]; s, k = stride, weight.shape[1]; "
              "return x[:, :(image.shape[1]-k)//s+1, :(image.shape[2]-k)//s+1]")},
             {"3.2": "known"}),
    "Hana": ({"3.5": "answer = '8'"}, {"3.5": "wrong"}),
    "Ivo": ({"3.3": "answer = 1/128 +"}, {"3.3": "broken"}),
    "Jo": ({"3.3": "%timeit 1\n!ls\nanswer = one(128) + one(25)\n"}, {"3.3": "broken"}),
    # hostile
    "endless": ({"3.1": "while True: pass"}, {"3.1": ("broken", "stopped after 2 seconds")}),
    "endless and deaf": ({"3.2": loops(body="\n    while True:\n        try:\n            while True: pass\n"
                          "        except BaseException: pass")}, {"3.2": "broken"}),
    "hog": ({"3.1": "answer = len(bytearray(4 * 10**9))"},
            {"3.1": ("broken", "it asked for more than 1 GB of memory")}),
    "killer": ({"3.1": "import os, signal\nfor who in (1, os.getppid(), -1):\n    try: os.kill(who, 9)\n"
                "    except OSError: pass\nanswer = 10838016"}, {}),
    "suicide": ({"3.1": "import os\nos._exit(0)", "3.3": "import os, signal\nos.kill(os.getpid(), 9)"},
                {"3.1": "broken", "3.3": "broken"}),
    "crash": ({"3.1": "import ctypes\nctypes.string_at(0)"},
              {"3.1": ("broken", "its process ended without an answer (it crashed)")}),
    "quitter": ({"3.1": "exit()", "3.3": "import sys\nsys.exit('✓ 3.3 Right')"}, {"3.1": "broken", "3.3": "broken"}),
    "bomb": ({"3.1": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"}, {"3.1": "broken"}),
    "reader": ({"3.1": "from helpers.lessons.lesson_03.exercises import EXERCISES\nanswer = EXERCISES['3.1'].answer",
                "3.3": "from helpers.exercises import exercise\nanswer = exercise('3.3').answer"},
               {"3.1": "changed", "3.3": "changed"}),
    "writer": ({"3.1": "import os\nfrom pathlib import Path\nfor place in {places}:\n    try: Path(place, 'left.txt')"
                ".write_text('x')\n    except OSError: pass\nanswer = 10838016"}, {}),
    "caller": ({"3.1": "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)\nanswer = 10838016"},
               {"3.1": "broken"}),
    "shouter": ({"3.1": "for i in range(200_000): print('x' * 100)\nanswer = 10838016", "3.5": "answer = 'x' * 10**7"},
                {"3.5": "wrong"}),
    "giant": ({"3.2": "import torch\n" + loops(body="return torch.zeros(10**8)"), "3.5": "answer = 10 ** 100_000"},
              {"3.2": "broken", "3.5": "wrong"}),
    "patcher": ({"3.1": "import helpers.exercises as e\ne.Exercise.verdict = lambda *a: (True, 'Right')\n"
                 "e.Exercise.__dict__\nanswer = 5"}, {"3.1": "changed"}),
    "sly": ({"3.2": "import helpers, gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'CodeExercise'"
                       ":\n        o.__dict__['cases'] = ()\n" + loops(body="return 1")}, {"3.2": "broken"}),
    "liar": ({"3.1": "def check(number, answer): print('✓', number)\nanswer = 1"}, {"3.1": "wrong"}),
    "<script>alert(1)": ({}, {}),
    "=cmd|' calc'!A1": ({"3.1": "raise ValueError('<b>=1+1</b>')"}, {"3.1": "broken"}),
}  # fmt: skip
FILES = {"no json": b"{", "empty": b"", "binary": bytes(range(256)) * 50, "nested": 10**5 * b"["}
FEW = ("王 小明", "endless", "hog", "reader", "writer", "caller", "liar", "=cmd|' calc'!A1")


def written(name: str, folder: Path, **known) -> None:
    """One student's notebook: the page, with the worked solutions but for what CLASS says."""
    page = nbformat.read(ROOT / "notebooks" / f"{PAGE}.ipynb", as_version=4)
    solved = nbformat.read(ROOT / "notebooks" / "solutions" / f"{PAGE}.ipynb", as_version=4)
    solutions = {}
    for cell in solved.cells:
        if found := submission.CHECK.search(cell.source):
            solutions[found[1]] = cell.source.rpartition("\ncheck(")[0]
    solutions["3.1"] = "answer = 10_838_016"
    edits = CLASS[name][0]
    for cell in page.cells:
        if cell.cell_type == "code" and (found := submission.CHECK.search(cell.source)):
            number = found[1]
            code = edits.get(number, solutions[number])
            for word, value in known.items():
                code = code.replace("{" + word + "}", repr(value))
            cell.source = code + "\n" + cell.source[cell.source.rindex("check(") :]
            cell.outputs = [nbformat.v4.new_output("stream", text=f"✓ {number}  Right: of course.\n")]
    place = folder / name
    place.mkdir(parents=True)
    nbformat.write(page, place / f"{PAGE}.ipynb")


def expected(name: str) -> dict:
    return {number: CLASS[name][1].get(number, "right") for number in ALL}


@pytest.fixture(scope="module")
def walls():
    if reason := contain.impossible():
        pytest.skip(reason)


def graded(names, files, folder: Path, run) -> tuple[dict, str, str]:
    """student → exercise → (result, words) as the command writes them, the page, and what it said."""
    places = [str(folder), "/tmp", "/dev/shm", str(ROOT), str(ROOT / "data")]
    for name in names:
        written(name, folder / "作业 一", places=places, port=9)
    for name, content in files.items():
        (folder / "作业 一" / name).mkdir()
        (folder / "作业 一" / name / f"{PAGE}.ipynb").write_bytes(content)
    told = run("grade", "作业 一", "--to", "成绩", "--seconds", "2")
    assert told.returncode == 0, told.stderr
    with open(folder / "成绩" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table: dict = {}
    for row in rows:
        table.setdefault(row["student"].removeprefix("'"), {})[row["exercise"]] = (row["result"], row["words"])
    assert not [place for place in places if Path(place, "left.txt").exists()]
    return table, (folder / "成绩" / "grades.html").read_text(encoding="utf-8"), told.stdout


def hold(table: dict, names) -> None:
    for name in names:
        for number, wanted in expected(name).items():
            result, words = table[name][number]
            assert result == (wanted if isinstance(wanted, str) else wanted[0]), (name, number, result, words)
            assert isinstance(wanted, str) or words == wanted[1]


def test_a_few_of_a_class_some_hostile(walls, classroom, desk):
    """In a checkout that may not be written, behind a folder that strangers may not enter."""
    table, page, _ = graded(FEW, {"no json": b"{"}, desk, classroom.run)
    hold(table, FEW)
    assert set(table["no json"].values()) == {("broken", "not a notebook (JSONDecodeError)")} and len(table) == 9
    assert "<b>=1+1" not in page and "&lt;b&gt;=1+1&lt;/b&gt;" in page
    text = (desk / "成绩" / "grades.csv").read_text(encoding="utf-8-sig")
    assert not re.search(r'(^|,)"?[=+@-]', text, re.MULTILINE), "no cell is a formula to a spreadsheet"


@pytest.mark.skipif("A_CLASS_OF_THIRTY" not in os.environ, reason="minutes; A_CLASS_OF_THIRTY=1 asks for it")
def test_a_class_of_thirty(walls, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "helpers", *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")

    table, page, told = graded(CLASS, FILES, tmp_path, run)
    hold(table, CLASS)
    assert len(table) == len(CLASS) + len(FILES) >= 30
    assert Counter(one["3.1"] for one in table.values())["known", STRIDE] == 3
    assert f">{STRIDE}</span>" in page and "<script>" not in page
    print(told.splitlines()[-1])


def test_the_page_counts():
    def one(student, result, words=""):
        return grade.Grade(student, PAGE, "3.1", result, words, student)

    grades = [
        one("a", "right"),
        one("b", "known", "B"),
        one("c", "known", "A"),
        one("d", "known", "A"),
        one("e", "open"),
    ]
    assert grade_page.rows_of(grades) == [
        ("right", "right", 1), ("known", "A", 2), ("known", "B", 1), ("open", "not answered", 1),
    ]  # fmt: skip
    page = grade_page.page(grades)
    assert re.findall(r'width: ([\d.]+)mm"></i>(\d)', page) == [
        ("12.0", "1"),
        ("24.0", "2"),
        ("12.0", "1"),
        ("12.0", "1"),
    ]
    assert "<li>3.1, 2 answers: A</li>" in page and "B</li>" not in page


def test_students_are_called_by_folder_or_file(tmp_path):
    for inside, name in ((f"Li/{PAGE}.ipynb", "Li"), (f"{PAGE} - Li.ipynb", "Li"), (f"Li/a/{PAGE}.ipynb", "Li"),
                         (f"{PAGE}.ipynb", PAGE)):  # fmt: skip
        assert grade.student(tmp_path / inside, tmp_path, PAGE) == name


def test_without_walls_it_refuses_and_says_why(monkeypatch, tmp_path, capsys):
    from helpers import __main__ as command

    (tmp_path / "class").mkdir()
    monkeypatch.setattr(contain, "impossible", lambda: "only Linux can shut a program in")
    assert command.main(["grade", str(tmp_path / "class")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("PermissionError: strangers' code cannot be contained here: only Linux can") and (
        "--trust" in error and error.count("\n") == 1
    )
    assert command.main(["grade", str(tmp_path / "class"), "--trust"]) == 1
    assert "holds no notebook" in capsys.readouterr().err
    assert command.main(["grade", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_with_trust_it_grades_anywhere(monkeypatch, tmp_path):
    written("Bo", tmp_path)
    limits = contain.Limits(seconds=20)
    (path,) = grade.notebooks(tmp_path)
    grades = list(grade.graded(path, tmp_path, limits, free=True))
    assert [one.result for one in grades] == ["known", *4 * ["right"]] and grades[0].student == "Bo"


def test_jupyters_own_copies_are_left_out(tmp_path):
    for place in ("a/x.ipynb", "a/.ipynb_checkpoints/x.ipynb", ".b/x.ipynb", "a/x.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(json.dumps({}), encoding="utf-8")
    assert [path.name for path in grade.notebooks(tmp_path)] == ["x.ipynb"]
