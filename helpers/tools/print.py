"""Write handouts: lessons as HTML pages that print on A4 and on Letter, each in one file that asks for no network.

Without --teacher a line stands where a guess and an answer go, and what answers a *Predict* is left out. With it the
answers are there: stored outputs, and the worked solution under each exercise. Print from the browser (margins:
default). `helpers/tools/handout.py` says how a cell looks on paper.
"""

from pathlib import Path

from helpers import ROOT
from helpers.tools.execute import find


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="00, 05b, appendix_a …; all lessons when none is named")
    parser.add_argument("--teacher", action="store_true", help="with the answers")
    parser.add_argument("--to", type=Path, default=Path("build", "print"), metavar="FOLDER",
                        help="where to (default: build/print)")  # fmt: skip


def run(options, log) -> int:
    from helpers.tools import handout

    lessons = [path for path in find(options.which or ["*"]) if path.parent == ROOT / "notebooks"]
    if not lessons:
        raise ValueError("solutions have no handout of their own: --teacher prints them with their lesson")
    options.to.mkdir(parents=True, exist_ok=True)
    for path in lessons:
        place = options.to / f"{path.stem}{'_teacher' if options.teacher else ''}.html"
        place.write_text(handout.page(path, options.teacher), encoding="utf-8")
        log(str(place))
    return 0
