"""Quizzes: read again by a strict reader of GIFT, and held to the exercises' own checks."""

import re

import pytest

from helpers import __main__ as command
from helpers.exercises import Exercise, every_exercise
from helpers.tools import entry_test, outcomes, quiz_items

LESSONS = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12")


def read_gift(text: str) -> tuple[list[str], list[dict]]:
    """([category of each question], questions) of a GIFT file of multiple choice; ValueError for anything else.

    Strict: a sign of GIFT's that is not escaped may stand only where it has its meaning.
    """
    found, categories, category = [], [], ""
    for block in re.split(r"\n{2,}", text.strip()):
        if block.startswith("$CATEGORY: ") and "\n" not in block:
            category = block.removeprefix("$CATEGORY: ")
            continue
        if not category:
            raise ValueError("a category comes first")
        whole = re.fullmatch(r"::((?:[^\\:]|\\.)+)::\[html\]((?:[^\\{}=~#]|\\.)+)\{\n(.+)\n\}", block, re.DOTALL)
        if not whole:
            raise ValueError(f"no question: {block[:60]}")
        choices = []
        for line in whole[3].split("\n"):
            choice = re.fullmatch(r"\t([=~])((?:[^\\{}=~#:]|\\.)+)#((?:[^\\{}=~#:]|\\.)*)", line)
            if not choice:
                raise ValueError(f"no choice: {line[:60]}")
            choices.append((choice[1] == "=", plain(choice[2]), plain(choice[3])))
        if sum(right for right, *_ in choices) != 1:
            raise ValueError(f"one choice is right: {whole[1]}")
        found.append({"title": plain(whole[1]), "question": plain(whole[2]), "choices": choices})
        categories.append(category)
    return categories, found


def plain(text: str) -> str:
    if odd := re.search(r"\\[^\\~=#{}:n]|\n", text):
        raise ValueError(f"{odd[0]!r} is no sign of GIFT")
    return re.sub(r"\\(.)", r"\1", text)


@pytest.mark.parametrize(
    "bad",
    ["", "::a::[html]b{\n\t=c#\n}", "$CATEGORY: x\n\n::a::b{\n\t=c#\n}", "$CATEGORY: x\n\n::a::[html]b=1{\n\t=c#\n}",
     "$CATEGORY: x\n\n::a::[html]b{\n\t=c#\n\t=d#\n}", "$CATEGORY: x\n\n::a::[html]b{\n\t=c: d#\n}",
     "$CATEGORY: x\n\n::a::[html]b{\n\t=c#x\\y\n}", "$CATEGORY: x\n\n::a::[html]b{\n\t=c\n}"],
)  # fmt: skip
def test_the_reader_is_strict(bad):
    with pytest.raises(ValueError):
        read_gift(bad)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_eight_questions_that_can_be_imported(lesson):
    items = quiz_items.items(lesson)
    categories, found = read_gift(quiz_items.gift(f"lesson {lesson}", items))
    assert len(found) == 8
    for category, one in zip(categories, found, strict=True):
        form = {"answer": "what is the answer", "diagnosis": "what went wrong"}[one["title"].split()[1]]
        assert category == f"MobileNet, measured/lesson {lesson}/{form}"
    assert len({one["title"] for one in found}) == 8
    for one in found:
        texts = [choice for _, choice, _ in one["choices"]]
        assert 3 <= len(texts) <= 5 and len(set(texts)) == len(texts), one["title"]
        assert all(told for *_, told in one["choices"]), "each choice has its answer"
        assert len(one["question"]) > 40 and "](" not in one["question"] and "<a " not in one["question"].replace(
            '<a href="https', "")  # fmt: skip


def value_of(one: Exercise, text: str):
    """What a choice says, as an answer to the exercise."""
    if isinstance(one.answer, frozenset):
        return set(text.split("; ")) - {"none of them"}
    if isinstance(one.answer, str):
        return text
    numbers = [float(number.replace(",", "")) for number in re.findall(r"-?[\d,]*\.?\d+(?:e-?\d+)?", text.removesuffix(
        f" {one.unit}").replace(", ", " "))]  # fmt: skip
    if isinstance(one.answer, tuple):
        return tuple(numbers)
    return int(numbers[0]) if isinstance(one.answer, int) and numbers[0].is_integer() else numbers[0]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_questions_cover_the_lesson_in_one_form_each(lesson):
    """Half of a form; no exercise is left out that could be asked; the section says where the question belongs."""
    items, numbers = quiz_items.items(lesson), quiz_items.lessons()[lesson]
    forms = [item.title.split() for item in items]
    assert [form for _, form in forms] == 4 * ["answer"] + 4 * ["diagnosis"]
    assert len({number for number, _ in forms}) == len(numbers)
    for item in items:
        assert re.match(r"<p><i>\d+b? · .+?</i></p>", item.question), item.question[:80]
        assert not re.search(r"\((a whole|t\w+)[^()]*(number|digits)\.?\)|Answer with a set", item.question), (
            item.question
        )


def test_the_right_choice_tells_itself_apart_neither_by_its_length_nor_by_its_numbers():
    told = [item for lesson in quiz_items.lessons() for item in quiz_items.items(lesson) if "diagnosis" in item.title]
    lengths = [(len(item.right), [len(words) for words, _ in item.wrong]) for item in told]
    assert sum(right > max(others) for right, others in lengths) <= len(told) / 10
    assert sum(right < min(others) for right, others in lengths) <= len(told) / 5
    for item in told:
        number, one = item.title.split()[0], every_exercise()[item.title.split()[0]]
        value = quiz_items.shown(one, one.misconceptions[item.right])
        assert value not in item.right, (number, "the choice names the answer that is asked about")
        numbered = [bool(re.search(r"\d", words)) for words in (item.right, *(words for words, _ in item.wrong))]
        assert not (numbered[0] and not any(numbered[1:])), (number, "the only choice with a number")


def test_the_same_advice_is_not_offered_twice():
    told = {"Too far; count each row.": "3", "Cut off; count each row.": "4", "One is there. Which other?": "5",
            "One of two is there. Which other?": "6", "Other; words.": "3", "Plain": "7"}  # fmt: skip
    first, second, third, fourth, fifth, plain_ = told
    assert not quiz_items._apart(told, first, second) and not quiz_items._apart(told, third, fourth)
    assert not quiz_items._apart(told, first, fifth), "the same answer"
    assert quiz_items._apart(told, first, third) and quiz_items._apart(told, first, plain_)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_checks_judge_the_choices_as_the_quiz_does(lesson):
    """The right choice is right, and a wrong one meets the words that its feedback has."""
    asked = 0
    for item in quiz_items.items(lesson):
        number, kind = item.title.split()
        one = every_exercise()[number]
        if kind == "answer":
            asked += 1
            assert one.judge(value_of(one, item.right))[0], (number, item.right)
            for choice, words in item.wrong:
                right, told = one.judge(value_of(one, choice))
                assert not right and words in told, (number, choice, told)
        else:
            value = re.search(r"<b>Somebody answers (.+?)\.</b>", item.question)[1]
            right, told = one.judge(value_of(one, value.replace("&#x27;", "'")))
            assert not right and item.right in told, (number, value, told)
            assert not any(words in told for words, _ in item.wrong), (number, value, told)
    assert asked >= 3


def test_the_entry_test_takes_ten_minutes():
    _, found = read_gift(quiz_items.gift("entry test", entry_test.items()))
    assert len(found) == 8
    assert [next(c for right, c, _ in one["choices"] if right) for one in found] == [
        "[6, 7]", "3", "15", "1", "1", "5", "9", "10",
    ]  # fmt: skip
    for one in found:
        assert len({choice for _, choice, _ in one["choices"]}) == 4


def test_the_page_of_outcomes_names_every_exercise_once():
    pages = outcomes.pages()
    numbers = [number for one in pages for _, number, _ in one["exercises"]]
    assert sorted(numbers) == sorted(every_exercise())
    assert all("- " in one["goals"] for one in pages)
    page = outcomes.page()
    assert "<td>3.1 The first layer of MobileNet</td><td>answer</td><td>answer, diagnosis</td>" in page
    assert all(f"<td>{number} " in page for number in numbers)


def test_signs_of_gift_in_a_question_are_escaped():
    item = quiz_items.Item("a:b", "<p>{x} = 1 ~ #2 \\n</p>", "a = b", "c: d", (("<b>", "{"), ("e", "}")))
    _, (one,) = read_gift(quiz_items.gift("x", [item]))
    assert one["title"] == "a:b" and one["question"] == "<p>{x} = 1 ~ #2 \\n</p>"
    assert one["choices"] == [(True, "a = b", "c: d"), (False, "&lt;b&gt;", "{"), (False, "e", "}")]
    item = quiz_items.Item("a", "b", "what is *left*, 3 * 4 * 5", "", (("c", ""),))
    assert "<em>left</em>, 3 * 4 * 5" in quiz_items.gift("x", [item])


def test_the_command(tmp_path, capsys):
    assert command.main(["quiz", "3", "08", "--to", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "03.gift.txt", "08.gift.txt", "entry_test.gift.txt", "outcomes.html",
    ]  # fmt: skip
    assert command.main(["quiz", "77", "--to", str(tmp_path)]) == 1
    assert "there is no quiz for 77; lessons with exercises are 01, 02" in capsys.readouterr().err


def test_in_a_classroom(classroom, desk):
    """Two lessons, in a checkout that may not be written: only those can be asked about."""
    told = classroom.run("quiz", "03", "--to", "测验")
    assert told.returncode == 0, told.stderr
    assert (desk / "测验" / "03.gift.txt").exists()
