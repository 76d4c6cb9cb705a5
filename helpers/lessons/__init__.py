"""A room for each lesson: what that lesson alone needs. `from helpers.lessons.lesson_03 import cost_explorer`.

A room's `exercises.py` holds the right answers, `explorer_NAME.py` the function `NAME_explorer()`, and every other file
with `arguments(parser)` and `run(options, log)` a long run that `python -m helpers` finds by its name. An explorer that
needs arguments has a function `example()` beside it, which builds one for the tests.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

# "NAME_explorer" → the module it stands in, for every explorer of the series
EXPLORERS = {
    f"{path.stem.removeprefix('explorer_')}_explorer": f"helpers.lessons.{path.parent.name}.{path.stem}"
    for path in sorted(Path(__file__).parent.glob("*/explorer_*.py"))
}


def explorers_of(room: str) -> Callable[[str], object]:
    """`__getattr__` of a room: `room.NAME_explorer` of `room/explorer_NAME.py`, imported when asked for.

    A lesson so loads its own explorers, and a long run of the same room none.
    """

    def find(name: str):
        if not EXPLORERS.get(name, "").startswith(f"{room}."):
            there = [explorer for explorer, module in EXPLORERS.items() if module.startswith(f"{room}.")]
            raise AttributeError(f"{room} has no {name!r}; its explorers are {', '.join(there) or 'none'}")
        return getattr(import_module(EXPLORERS[name]), name)

    return find
