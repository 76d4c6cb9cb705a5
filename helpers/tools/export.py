"""Write notebooks as HTML pages whose pictures carry their alternative text, which nbconvert's own template drops.

The template is the folder page/ beside this file; `jupyter nbconvert --to html --template page
--TemplateExporter.extra_template_basedirs helpers/tools NOTEBOOK` uses it too.
"""

from pathlib import Path

from helpers.tools.execute import find

TOOLS = Path(__file__).parent


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="00, solutions/03, appendix_a …; all when none is named")
    parser.add_argument("--to", type=Path, default=Path("build"), metavar="FOLDER", help="where to (default: build)")


def run(options, log) -> None:
    for path in find(options.which or ["*", "solutions/*"]):
        place = options.to / ("solutions" if path.parent.name == "solutions" else "") / f"{path.stem}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page(path), encoding="utf-8")
        log(str(place))


def page(path: Path) -> str:
    """A notebook with its stored outputs as one HTML page."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_template_basedirs=[str(TOOLS)], template_name="page")
    return exporter.from_filename(str(path))[0]
