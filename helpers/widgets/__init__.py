"""What can be turned and dragged? `from helpers.widgets import augmentation_explorer`.

`helpers/widgets/NAME.py` holds `NAME_explorer()`; a file added here is found by the lessons and by the tests. (A file
must not be called NAME_explorer.py: it would hide its own function.) An explorer that needs arguments has a function
`example()` beside it, which builds one for the tests.
"""

from importlib import import_module
from pathlib import Path

from helpers.widgets.shell import Explorer, counting_button, menu, slider, toggle

_FILES = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
EXPLORERS = {f"{stem}_explorer": f"helpers.widgets.{stem}" for stem in _FILES if stem not in ("__init__", "shell")}

__all__ = ["EXPLORERS", "Explorer", "counting_button", "menu", "slider", "toggle", *EXPLORERS]


def __getattr__(name: str):
    # Each explorer is imported when it is asked for: a lesson loads its own and no other.
    if name not in EXPLORERS:
        raise AttributeError(f"helpers.widgets has no {name!r}; it has {', '.join(EXPLORERS) or 'no explorer yet'}")
    return getattr(import_module(EXPLORERS[name]), name)
