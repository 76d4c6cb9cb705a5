"""What the lessons share. One file per question that a lesson asks; README.md has the map."""

import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


def about(*image_sets) -> str:
    """One line for the top of a lesson: versions, device, threads, and where the images come from."""
    import torch
    import torchvision

    device = "GPU present, not used" if torch.cuda.is_available() else "CPU"
    parts = [
        f"Python {platform.python_version()}",
        f"torch {torch.__version__.split('+')[0]}",
        f"torchvision {torchvision.__version__.split('+')[0]}",
        device,
        f"{torch.get_num_threads()} threads",
        *dict.fromkeys(images.source for images in image_sets),
    ]
    return " · ".join(parts)
