"""Write a learner's own copy of the lessons, to work in rather than to read.

What answers a *Predict* is not shown before you have run it, and a line for your guess stands above; what the code says
of it in words lies in cells that are folded. Pictures of explorers stay; there are no solutions and no notes for
teachers. The copies lie in a folder of their own, workbook/ beside notebooks/, which git
ignores: what you type and what `git pull` brings never meet. Another FOLDER may lie anywhere. Give the command again
after a pull: it adds the pages that are missing, and never touches one that is there.
"""

import os
import re
from pathlib import Path, PurePosixPath

from helpers import ROOT
from helpers.tools.covering import answers, asks, describes, without_claims

NOTEBOOKS = ROOT / "notebooks"
GUESS = "# My guess: "
FOLDED = {"source_hidden": True}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def arguments(parser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER",
                        help="where to (default: workbook/ in the repository of the lessons)")  # fmt: skip


def run(options, log) -> int:
    folder = (options.folder or ROOT / "workbook").expanduser().absolute()
    added, there = write(folder)
    print(f"{_lessons(len(added))} written to {folder}.")
    if there:
        words = f"{_lessons(len(there))} of {len(added) + len(there)} stood there already and stay as you left them"
        print(f"{words}: to have one anew, rename yours and give the command again.")
    print(f'Begin: jupyter lab "{folder / "00_quick_tour.ipynb"}"')
    return 0


def write(folder: Path) -> tuple[list[str], list[str]]:
    """Add to `folder` the lessons that it lacks; (names written, names that were there and stay as they are).

    What the pages link to comes too. Raises ValueError or OSError, in a sentence, where no workbook can be.
    """
    inside = folder.resolve()
    if inside == NOTEBOOKS.resolve() or NOTEBOOKS.resolve() in inside.parents:
        raise ValueError(f"{folder} belongs to the lessons themselves: name a folder of your own")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pages = sorted(NOTEBOOKS.glob("*.ipynb"))
        there = [path.name for path in pages if os.path.lexists(folder / path.name)]
        wanted = []
        for path in pages:
            notebook, linked = copy(path)
            wanted += linked
            if path.name not in there:
                _add(folder / path.name, notebook)
        _add_linked(folder, wanted)
    except FileExistsError as error:
        raise FileExistsError(
            f"{error.filename or folder} is a file, and a workbook is a folder: name another"
        ) from error
    except OSError as error:
        raise OSError(
            f"nothing can be written to {folder} ({error.strerror}): name a folder of your own, as in "
            '`python -m helpers workbook "my lessons"`'
        ) from error
    return [path.name for path in pages if path.name not in there], there


def copy(path: Path) -> tuple[str, list[Path]]:
    """A lesson as a learner gets it, as the text of a notebook, and the files that its words link to."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    cells, linked = [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, targets = relinked(cell.source, path)
            linked += targets
        cells.append(cell)
        if answers(cell):
            cell.outputs, cell.execution_count = [], None
            cell.source, claims = without_claims(cell.source)
            if describes(cell.source):
                cell.metadata.jupyter = FOLDED
            if claims:
                words = {"tags": ["claims"], "jupyter": FOLDED}
                cells.append(nbformat.v4.new_code_cell(claims, id=f"claims-{cell.id}"[:64], metadata=words))
        if asks(cell):
            guess = nbformat.v4.new_code_cell(GUESS, id=f"guess-{cell.id}"[:64], metadata={"tags": ["guess"]})
            cells.append(guess)
    notebook.cells = cells
    return nbformat.writes(notebook) + "\n", linked


def relinked(text: str, source: Path) -> tuple[str, list[Path]]:
    """The words of the file `source` with its links as they lead from its copy, and the files that are to come along.

    Pages keep their names; all else keeps its place in the repository (data/README.md). What no workbook holds, a
    folder, a solution or notes for teachers, is named without a link.
    """
    targets = []

    def lead(match: re.Match) -> str:
        picture, words, target, anchor = match.groups()
        path = Path(os.path.normpath(source.parent / target))
        if ":" in target or not path.exists():
            return match[0]
        if path.is_dir() or {NOTEBOOKS / "solutions", NOTEBOOKS / "teaching"} & {*path.parents}:
            return words
        targets.append(path)
        way = os.path.relpath(_place(path), _place(source).parent).replace(os.sep, "/")
        return f"{picture}[{words}]({way}{anchor or ''})"

    return LINK.sub(lead, text), targets


def _lessons(count: int) -> str:
    return f"{count} lesson{'s' * (count != 1)}"


def _place(path: Path) -> PurePosixPath:
    """Where a file of the repository stands in a workbook."""
    return PurePosixPath(path.relative_to(NOTEBOOKS if NOTEBOOKS in path.parents else ROOT).as_posix())


def _add_linked(folder: Path, wanted: list[Path]) -> None:
    """The files that pages link to, and those that these link to; never over one that is there."""
    done = set()
    while wanted:
        path = wanted.pop()
        if path in done or (path.suffix == ".ipynb" and path.parent == NOTEBOOKS):
            continue
        done.add(path)
        content = path.read_bytes()
        if path.suffix == ".md":
            text, further = relinked(content.decode("utf-8"), path)
            wanted += further
            content = text.encode()
        place = folder / _place(path)
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            _add(place, content)


def _add(place: Path, content: str | bytes) -> None:
    """A whole file or none, and never over one that is there."""
    part = place.with_name(place.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        if os.path.lexists(place):
            raise FileExistsError(f"{place} appeared meanwhile and stays as it is: give the command again")
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
