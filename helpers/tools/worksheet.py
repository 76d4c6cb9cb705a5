"""Write worksheets, one page of A4 each, and their answers on another: 01, 03, 08.

HTML that prints from the browser and asks for no network. `helpers/tools/worksheets.py` has what is on them; numbers,
tables and matrices come from the lessons.
"""

from pathlib import Path


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="01, 03, 08; all when none is named")
    parser.add_argument("--to", type=Path, default=Path("build", "worksheets"), metavar="FOLDER",
                        help="where to (default: build/worksheets)")  # fmt: skip


def run(options, log) -> int:
    from helpers.tools import worksheets

    wanted = [name.zfill(2) for name in options.which] or list(worksheets.SHEETS)
    if unknown := [name for name in wanted if name not in worksheets.SHEETS]:
        raise ValueError(f"there is no worksheet {', '.join(unknown)}; there are {', '.join(worksheets.SHEETS)}")
    options.to.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        for answers in (False, True):
            place = options.to / f"{name}{'_answers' if answers else ''}.html"
            place.write_text(worksheets.page(name, answers), encoding="utf-8")
            log(str(place))
    return 0
