"""What did the class misunderstand? Judge the notebooks in FOLDER, the exercises by their checks.

Each student has a folder in FOLDER, or each file a student's name: lesson and student are read from names and
contents. Writes grades.csv (a line for each student and exercise) and grades.html (for each exercise, how many share
which misunderstanding). Stored outputs are not believed: the code of each answer runs anew, its check's cell and what
that needs of the cells above, and what comes out is judged outside, where no notebook reaches.

This runs strangers' code. On Linux as root (`sudo`) each answer has a process of its own as a user who owns nothing,
without network, with read-only disks, and with limits of time, memory, processes and output. Elsewhere the command
refuses, unless you give --trust: then the limits are all there is, and the code may do what you may do.

What cannot be contained: code reads what all users of the computer may read; the right answers stand in this
repository, and who takes them from there is noticed only where the code says so plainly ("changed"); a hole in the
kernel is a hole. Windows has none of these means: grade on Linux or macOS.
"""

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

STATES = ("right", "known", "wrong", "open", "changed", "broken")
COLUMNS = ("student", "lesson", "exercise", "result", "words", "file")


class Grade(NamedTuple):
    """One answer of one student. `result` is one of STATES; "known" is a misconception, and `words` are its own."""

    student: str
    lesson: str
    exercise: str
    result: str
    words: str
    file: str


def arguments(parser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with the students' notebooks")
    parser.add_argument("--to", type=Path, default=Path("build", "grades"), metavar="FOLDER",
                        help="where to (default: build/grades)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=30, help="limit for one answer (default: %(default)g)")
    parser.add_argument("--memory", type=float, default=1.0, metavar="GB", help="limit, too (default: %(default)g)")
    parser.add_argument("--trust", action="store_true", help="run the code also where it cannot be contained")


def run(options, log) -> int:
    if not hasattr(os, "fork"):
        raise OSError("this system cannot run an answer in a process with limits: grade on Linux or macOS")
    if not options.folder.is_dir():
        raise NotADirectoryError(f"{options.folder} is no folder")
    import torch

    torch.set_num_threads(1)  # a process that has used several cannot be copied
    from helpers.tools import contain, grade_page

    reason = contain.impossible()
    if reason and not options.trust:
        raise PermissionError(
            f"strangers' code cannot be contained here: {reason}. On Linux, `sudo` and this command; or, if you "
            "would run each of these notebooks yourself, --trust"
        )
    if reason:
        log(f"--trust: {reason}, so the answers run with limits of time and memory only")
    options.to.mkdir(parents=True, exist_ok=True)
    limits = contain.Limits(seconds=options.seconds, memory=options.memory * 1e9)
    start, grades = time.monotonic(), []
    files = notebooks(options.folder)
    if not files:
        raise FileNotFoundError(f"{options.folder} holds no notebook (.ipynb)")
    for number, path in enumerate(files, 1):
        found = list(graded(path, options.folder, limits, free=bool(reason)))
        grades += found
        marks = "".join({"right": "✓", "open": "·"}.get(grade.result, "✗") for grade in found)
        log(f"{number}/{len(files)} {path.relative_to(options.folder)} {marks}")
    write(options.to / "grades.csv", grades)
    (options.to / "grades.html").write_text(grade_page.page(grades), encoding="utf-8")
    log(f"{len(files)} notebooks, {len(grades)} answers in {time.monotonic() - start:.0f} s, {_memory()}: "
        f"{options.to / 'grades.csv'}, {options.to / 'grades.html'}")  # fmt: skip
    return 0


def notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder and in those below, but for Jupyter's own copies."""
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(".ipynb"))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def graded(path: Path, folder: Path, limits, free: bool = False) -> Iterator[Grade]:
    """The grades of one notebook; whatever it holds, they come, and nothing is raised."""
    from helpers.tools import contain, submission

    lessons = submission.asked()
    hidden, file = (folder.resolve(),), str(path.relative_to(folder))
    lesson = submission.lesson_of(path.stem, set(), lessons)
    try:
        text = submission.content(path)
        told, trouble = contain.contained(lambda: submission.read(text, path.stem, lessons), limits, hidden, free)
    except (OSError, ValueError) as problem:
        told, trouble = None, str(problem)
    if trouble or "problem" in told:
        for number in lessons.get(lesson, [""]):
            yield Grade(student(path, folder, lesson), lesson or "", number, "broken", trouble or told["problem"], file)
        return
    lesson, left = told["lesson"], 3 * limits.seconds
    for number, part in told["parts"].items():
        start = time.monotonic()
        result, words = _grade(number, part, limits, hidden, free, left)
        left -= time.monotonic() - start
        yield Grade(student(path, folder, lesson), lesson, number, result, words, file)


def _grade(number: str, part: dict, limits, hidden, free: bool, left: float) -> tuple[str, str]:
    from helpers.exercises import exercise
    from helpers.tools import contain, submission

    exercise(number)  # imported here, once, not by each answer
    if "gone" in part:
        return "changed", part["gone"]
    if "broken" in part:
        return "broken", part["broken"]
    if left <= 0:
        return "broken", f"not tried: the answers above it took {3 * limits.seconds:g} seconds"
    told, trouble = contain.contained(lambda: submission.evaluated(number, part["code"]), limits, hidden, free)
    if trouble:
        return "broken", trouble
    try:
        result, words = submission.judged(number, told)
    except Exception as problem:  # what comes from outside may be anything
        return "broken", f"its process gave what is no answer ({type(problem).__name__})"
    if part["keys"] and result != "open":
        return "changed", f"its code looks the answer up: {', '.join(part['keys'])[:120]}"
    return result, words


def student(path: Path, folder: Path, lesson: str | None) -> str:
    """Whose notebook it is: the first folder's name, or what a file's name says beside the lesson."""
    inside = path.relative_to(folder)
    name = inside.parts[0] if len(inside.parts) > 1 else path.stem.replace(lesson or "", "").strip(" _-.")
    return name or path.stem


def write(path: Path, grades: list[Grade]) -> None:
    """The grades as CSV that spreadsheets read, too, with no cell that they would take for a formula."""
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows([f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in row] for row in grades)


def _memory() -> str:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    own, most = (resource.getrusage(one).ru_maxrss * unit / 1e6 for one in who)
    return f"{own:,.0f} MB for itself, {most:,.0f} for the largest of its processes"
