"""What the lessons share. One file per question that a lesson asks; README.md has the map.

Import this before torch: it settles how PyTorch's threads wait, and that can only be said before they exist.
"""

import os
import platform
from pathlib import Path

from helpers import claims, threads
from helpers.claims import claim

threads.settle()
claims.shift_seeds(claims.asked_shift())  # by nothing, unless HELPERS_SEED asks for it

# A long run in several processes works from a copy of this folder (studies.py); everything else stays where it is.
ROOT = Path(os.environ.get("HELPERS_COPY_OF") or Path(__file__).resolve().parent.parent)
DATA = ROOT / "data"
if not DATA.is_dir():  # `pip install .` takes the module alone
    raise ImportError(
        f"helpers works only in the repository of the lessons, with its data beside it, and {DATA} is missing: run "
        "`pip install -r requirements.txt` in the repository's folder, which leaves the module there"
    )

__all__ = ["DATA", "ROOT", "about", "claim"]


def about(*image_sets) -> str:
    """The top of a lesson: a line of versions, device and threads, and one for each source of images."""
    import torch
    import torchvision

    device = "GPU present, not used" if torch.cuda.is_available() else "CPU"
    count = torch.get_num_threads()
    parts = [
        f"Python {platform.python_version()}",
        f"torch {torch.__version__.split('+')[0]}",
        f"torchvision {torchvision.__version__.split('+')[0]}",
        device,
        f"{count} thread{'s' if count > 1 else ''}",
    ]
    return "\n".join([" · ".join(parts), *dict.fromkeys(images.source for images in image_sets)])
