"""Which committed results were made by today's code? One line for each file of data/results/.

current  made by the code as it is now (comments, docstrings and layout aside)
stale    made by other code: `--again` of the command that is named makes them anew
older    made before code was hashed
"""

import argparse
from importlib import import_module
from pathlib import Path

from helpers.results import RESULTS, stored, update
from helpers.runs import studies

HERE = Path(__file__).parent.parent


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accept", metavar="NAME", nargs="+", default=[],
                        help="it was shown that today's code makes the rows of these files: write its hash into "
                        "them, and leave the rest")  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    owners = all_studies()
    for name in options.accept:
        accept(name if name.endswith(".csv") else f"{name}.csv", owners)
    names = sorted({*owners, *(path.name for path in RESULTS.glob("*.csv"))})
    print(f"{'file':22}{'rows':>7}{'current':>9}{'stale':>7}{'older':>7}  made by")
    for name in names:
        command, study = owners.get(name, ("no command", None))
        rows = stored(name)
        states = [study.state_of(row) if study else "unknown" for row in rows]
        current, stale, older = (states.count(state) for state in ("current", "stale", "unknown"))
        print(f"{name:22}{len(rows):7}{current:9}{stale:7}{older:7}  {command}")
    return 0


def all_studies() -> dict[str, tuple[str, studies.Study]]:
    """File of data/results/ → (command, the Study that makes it), on any device."""
    found = {}
    for path in sorted([*HERE.glob("tools/*.py"), *HERE.glob("lessons/*/*.py")]):
        if "studies.Study(" not in path.read_text(encoding="utf-8"):
            continue
        module = import_module(".".join(["helpers", *path.relative_to(HERE).with_suffix("").parts]))
        for study in vars(module).values():
            if isinstance(study, studies.Study):
                for name in (study.file, *study.also):
                    for kind in ("", "_cuda", "_mps"):
                        if not kind or (RESULTS / name.replace(".csv", f"{kind}.csv")).exists():
                            found[name.replace(".csv", f"{kind}.csv")] = (path.stem, study)
    return found


def accept(name: str, owners: dict[str, tuple[str, studies.Study]]) -> None:
    """Write the hash of today's code into every row; their commit stays."""
    if name not in owners or not stored(name):
        raise ValueError(f"data/results/ has no file {name} whose code is hashed; there are {', '.join(owners)}")
    code = owners[name][1].code
    update(name, lambda rows: [{**row, "code": code} for row in rows])
