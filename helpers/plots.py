"""How is it drawn? Only what two lessons share."""

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers and in grey print. https://jfly.uni-koeln.de/color/
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}


def use_style() -> None:
    """The look of every figure: opaque white paper, so that it is readable in JupyterLab's dark mode and in print."""
    plt.switch_backend(plt.get_backend())  # sets it up now: a notebook's first figure made without pyplot would be text
    plt.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.dpi": 96,
            "figure.figsize": (7.5, 4.2),
            "figure.constrained_layout.use": True,
            "font.size": 10.5,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.7,
            "axes.axisbelow": True,
            "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
            "legend.frameon": False,
            "lines.linewidth": 2,
            "image.interpolation": "nearest",
        }
    )


def show(figure: Figure, alt: str) -> None:
    """Display a figure once, and store `alt` with it: one or two sentences that tell it to someone who cannot see it.

    The words go into the output's metadata, `image/png: {"alt": …}`, as IPython writes them; the series' export
    prints them. The figure is closed, so that it does not appear a second time at the end of the cell.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"alternative text is a sentence that tells what the figure shows, not {alt!r}")
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def show_images(
    images: torch.Tensor, titles: list[str] | None = None, columns: int = 10, scale: float = 0.9, title: str = ""
) -> Figure:
    """A grid of images, uint8 [N,H,W,3], each `scale` inches wide, with a short title over each if given."""
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"show_images takes images of shape [N,H,W,3], not {list(images.shape)}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = scale * (1.28 if titles else 1.05) * rows + (0.4 if title else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(scale * columns, height), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image.numpy())
        if titles:
            axis.set_title(titles[index], fontsize=8, fontweight="normal", loc="center", pad=3)
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure
