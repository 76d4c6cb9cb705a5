"""Write quizzes from the exercises: eight questions a lesson as GIFT, which Moodle and others import.

The wrong choices are the misunderstandings that the exercises' own checks name, and the feedback is theirs. Half of the
questions ask for an answer, half show a wrong answer and ask what went wrong. Besides: entry_test.gift.txt, ten minutes
before the first lesson, and outcomes.html: what each page teaches, its exercises, and the questions on them.
`helpers/tools/quiz_items.py` makes the questions; nothing of them is kept by hand.
"""

from pathlib import Path


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="01, 03 …; all lessons when none is named")
    parser.add_argument("--to", type=Path, default=Path("build", "quiz"), metavar="FOLDER",
                        help="where to (default: build/quiz)")  # fmt: skip


def run(options, log) -> int:
    from helpers.tools import entry_test, outcomes, quiz_items

    lessons = quiz_items.lessons()
    unknown = [name for name in options.which if name.zfill(2) not in lessons]
    if unknown:
        raise ValueError(f"there is no quiz for {', '.join(unknown)}; lessons with exercises are {', '.join(lessons)}")
    options.to.mkdir(parents=True, exist_ok=True)
    wanted = [name.zfill(2) for name in options.which] or list(lessons)
    texts = {f"{name}.gift.txt": quiz_items.gift(f"lesson {name}", quiz_items.items(name)) for name in wanted}
    texts["entry_test.gift.txt"] = quiz_items.gift("entry test", entry_test.items())
    texts["outcomes.html"] = outcomes.page()
    for name, text in texts.items():
        (options.to / name).write_text(text, encoding="utf-8")
        log(str(options.to / name))
    return 0
