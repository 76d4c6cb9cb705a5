"""What of a notebook an answer needs, and what may come back of it. No stranger's code runs here."""

import json

import numpy as np
import pytest
import torch

from helpers.exercises import exercise
from helpers.exercises.code import Outcome
from helpers.tools import plain, submission

LESSONS = {"03_depthwise": ["3.1", "3.3"], "05_width": ["5.1"]}


def notebook(*sources, **more) -> bytes:
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more).encode()


def code_of(*sources, number="3.1") -> str:
    return submission.read(notebook(*sources), "x", LESSONS)["parts"][number]["code"]


def test_only_what_an_answer_needs_is_run():
    code = code_of(
        "import os, math\nfrom time import sleep\nos.remove('x')",
        "def unused(): sleep(1)\ndef side(n): return half(n) + ONE\nlist_of = [1]",
        "def half(n): return n // 2\nONE = 1\nlist_of[0] = 5\nlist_of.append(3)",
        "%time train()\n!rm -rf *\nanswer = 9\ncheck('3.3', answer)",
        "answer = side(8) + list_of[0]\nprint(answer)\ncheck('3.1', answer)\nprint('after')",
    )
    assert [line for line in code.splitlines() if line] == [
        "def side(n):", "    return half(n) + ONE", "list_of = [1]", "def half(n):", "    return n // 2", "ONE = 1",
        "list_of[0] = 5", "list_of.append(3)", "answer = side(8) + list_of[0]", "print(answer)",
        "answer_given = answer",
    ]  # fmt: skip


def test_a_value_that_grows_line_by_line_is_kept_whole():
    before = "total = 1\nfor i in range(3):\n    total += i\nanswer = {}\nif total:\n    answer |= {}"
    assert code_of(before, 'answer = total\ncheck("3.1", answer)').splitlines() == [
        "total = 1", "for i in range(3):", "    total += i", "answer = total", "answer_given = answer",
    ]  # fmt: skip


def test_names_of_a_function_are_its_own():
    code = code_of(
        "model = 1\nshared = 2", "def f(model, *, k=shared):\n    x = model\n    return x", 'check("3.1", f)'
    )
    assert "model = 1" not in code and "shared = 2" in code


def test_the_last_of_several_cells_counts():
    assert code_of('answer = 1\ncheck("3.1", answer)', 'answer = 2\ncheck("3.1", answer)').startswith("answer = 2")


def test_a_check_of_ones_own_is_not_asked():
    code = code_of("def check(number, answer): print('✓')", 'answer = 2\ncheck("3.1", answer)')
    assert code == "answer = 2\nanswer_given = answer"


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("from helpers.exercises import exercise\nanswer = exercise('3.1').answer", ["exercise"]),
        ("from helpers.lessons.lesson_03.exercises import EXERCISES as e\nanswer = e['3.1'].answer", ["EXERCISES"]),
        ("import helpers\nanswer = helpers.exercises.exercise('3.1').answer", ["exercise"]),
        ("import helpers.lessons.lesson_03.exercises as k\nanswer = k", ["helpers.lessons.lesson_03.exercises"]),
        ("m = __import__('helpers.lessons.lesson_03.exercises')\nanswer = m", ["helpers.lessons.lesson_03.exercises"]),
        ("answer = open('notebooks/solutions/03.ipynb').read()", ["notebooks/solutions/03.ipynb"]),
        ("from helpers.exercises import check\nexercise = 3\nanswer = exercise", []),
    ],
)
def test_who_looks_the_answer_up_is_named(source, keys):
    part = submission.read(notebook(source + '\ncheck("3.1", answer)'), "x", LESSONS)["parts"]["3.1"]
    assert part["keys"] == keys


@pytest.mark.parametrize(
    "text",
    [b"", b"\x00\xff", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [3]}', b'{"cells": [{"cell_type": "code"}]}',
     b'{"cells": [{"cell_type": "code", "source": [1]}]}', 200_000 * b"[", b"null", "答".encode("gbk")],
)  # fmt: skip
def test_what_is_no_notebook_is_said(text):
    assert submission.read(text, "x", LESSONS)["problem"].startswith("not a notebook")


def test_the_lesson_is_known_by_its_exercises_and_else_by_its_name():
    assert submission.read(notebook('check("5.1", 1)'), "03_depthwise", LESSONS)["lesson"] == "05_width"
    told = submission.read(notebook("x = 1"), "Li Wei 03_depthwise", LESSONS)
    assert told["lesson"] == "03_depthwise" and set(told["parts"]) == {"3.1", "3.3"}
    assert told["parts"]["3.1"] == {"gone": "its cell is gone, or its check was changed"}
    assert submission.read(notebook("x = 1"), "holiday", LESSONS)["problem"].startswith("no page of this series")


def test_a_cell_that_is_no_python_says_where():
    part = submission.read(notebook('answer = (\ncheck("3.1", answer)'), "03_depthwise", LESSONS)["parts"]["3.1"]
    assert part == {"broken": "SyntaxError: '(' was never closed, in line 1 of its cell"}
    nested = 100_000 * "-" + "1"
    part = submission.read(notebook(nested, 'check("3.1", 1)'), "03_depthwise", LESSONS)["parts"]["3.1"]
    assert part["code"] == "answer_given = 1"


def test_links_and_monsters_are_not_opened(tmp_path):
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    with open(tmp_path / "large.ipynb", "wb") as file:
        file.truncate(submission.MOST + 1)
    for name, words in (("link", "a link or no file"), ("large", "too large to be a lesson")):
        with pytest.raises(ValueError, match=words):
            submission.content(tmp_path / f"{name}.ipynb")


def test_every_exercise_of_every_page_is_asked_for():
    from helpers.exercises import every_exercise

    numbers = [number for numbers in submission.asked().values() for number in numbers]
    assert sorted(numbers) == sorted(every_exercise())


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -(10**30), 2.5, "text", ..., [1, (2.0, "a")], {1: [2], "b": None}, {3, 4}, frozenset({"a"}),
        float("inf"), torch.arange(6).reshape(2, 3), torch.tensor(2.5), torch.zeros(0, 3), torch.tensor([True]),
        torch.ones(2, dtype=torch.bfloat16), np.float32(0.5), np.arange(3), np.int64(7),
    ],
)  # fmt: skip
def test_values_come_back_as_they_were(value):
    again = plain.unpacked(json.loads(json.dumps(plain.packed(value))))
    assert type(again) is type(value)
    if isinstance(value, torch.Tensor):
        assert again.dtype == value.dtype and torch.equal(again, value)
    else:
        assert np.array_equal(again, value) if isinstance(value, np.ndarray) else again == value


def test_what_is_no_data_comes_back_as_a_name():
    class Strange:
        def __reduce__(self):
            raise AssertionError("nobody pickles this")

    again = plain.unpacked(json.loads(json.dumps(plain.packed([Strange(), len]))))
    assert type(again[0]).__name__ == "Strange" and again[1].__name__ == "len"
    assert exercise("3.1").judge(again[1]) == exercise("3.1").judge(len)


@pytest.mark.parametrize(
    "told",
    [{}, [], ["tensor"], ["tensor", "float32", [2], "AAAA"], ["tensor", "object", [1], "AAAA"], ["int", "zz"], ["?"],
     ["tensor", "float32", [-1], ""], ["set", [["list", []]]], ["nothing", 1], ["list", 5], ["dict", [1]]],
)  # fmt: skip
def test_what_packed_never_writes_is_refused(told):
    with pytest.raises(ValueError):
        plain.unpacked(told)


def test_what_is_too_large_is_not_sent():
    with pytest.raises(ValueError, match="too large to be looked at"):
        plain.packed(torch.zeros(2_000_000))


@pytest.mark.parametrize(
    ("code", "result", "words"),
    [
        ("answer_given = 10_838_016", "right", ""),
        ("answer_given = None", "open", ""),
        ("answer_given = 43_352_064", "known", "That is 224 × 224 positions; stride 2 leaves half as many a side."),
        ("answer_given = 5", "wrong", "5 is too small. Find the side"),
        ("answer_given = len", "wrong", "This is the function len itself"),
        ("answer_given = side", "broken", "NameError: name 'side' is not defined"),
        ("import sys\nsys.exit('✓')\nanswer_given = 10_838_016", "broken", "SystemExit: ✓"),
    ],
)
def test_answers_are_judged(code, result, words):
    got, told = submission.judged("3.1", json.loads(json.dumps(submission.evaluated("3.1", code))))
    assert got == result and told.startswith(words)


@pytest.mark.parametrize(
    ("body", "result", "words"),
    [
        ("return max(macs / peak, moved / bandwidth)", "right", ""),
        ("...", "open", ""),
        ("return min(macs / peak, moved / bandwidth)", "known", "You took the shorter of the two times"),
        ("return 0.0", "wrong", "for a layer that moves much it gives 0, which is too small"),
        ("return macs / nothing", "wrong", "for a layer that moves much it stops with NameError"),
    ],
)
def test_functions_are_judged_by_what_they_gave(body, result, words):
    code = f"def at_least(macs, moved, peak, bandwidth):\n    {body}\nanswer_given = at_least"
    got, told = submission.judged("3.8", json.loads(json.dumps(submission.evaluated("3.8", code))))
    assert got == result and told.startswith(words)


def test_a_verdict_from_inside_is_not_believed():
    """Whoever forges outcomes must forge results; those of an exercise with many right results are looked at anew."""
    told = submission.evaluated("2.6", "answer_given = lambda image, pad: image\n")
    forged = [plain.outcome_packed(Outcome(result=[torch.zeros(1)], objection=None)) for _ in exercise("2.6").cases]
    assert submission.judged("2.6", told | {"tried": "", "outcomes": forged})[0] == "wrong"
    for outcomes in ([], forged[:1], 99 * forged, [3], [{}]):
        with pytest.raises(ValueError):
            submission.judged("2.6", {"tried": "", "outcomes": outcomes})
