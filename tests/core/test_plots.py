"""Figures are shown once, with words for those who cannot see them."""

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from nbclient import NotebookClient

from helpers import ROOT, plots


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, in order: (figure, metadata)."""
    seen = []
    monkeypatch.setattr(plots, "display", lambda figure, metadata: seen.append((figure, metadata)))
    return seen


def test_show_stores_the_alternative_text_and_closes_the_figure(shown):
    figure, _ = plt.subplots()
    plots.show(figure, "A line that rises from zero to one.")
    assert shown == [(figure, {"image/png": {"alt": "A line that rises from zero to one."}})]
    assert not plt.fignum_exists(figure.number), "or it would appear a second time at the end of the cell"


@pytest.mark.parametrize("alt", ["", "A figure.", "Accuracy against MACs."])
def test_show_wants_a_sentence(shown, alt):
    with pytest.raises(ValueError, match="alternative text is a sentence"):
        plots.show(plt.figure(), alt)
    assert shown == []
    plt.close("all")


def test_images_lie_row_by_row_under_their_titles():
    images = torch.arange(7, dtype=torch.uint8)[:, None, None, None].expand(7, 4, 4, 3)
    figure = plots.show_images(images, [f"image {i}" for i in range(7)], columns=3, title="Seven")
    axes = figure.axes
    assert len(axes) == 9 and figure.get_suptitle() == "Seven"
    assert [axis.get_title() for axis in axes] == [f"image {i}" for i in range(7)] + ["", ""]
    assert [int(axis.images[0].get_array()[0, 0, 0]) for axis in axes[:7]] == list(range(7))
    assert not any(axis.images for axis in axes[7:]) and not any(axis.axison for axis in axes)
    plt.close(figure)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \[N,H,W,3\], not \[4, 4, 3\]"):
        plots.show_images(torch.zeros(4, 4, 3, dtype=torch.uint8))


def test_a_page_s_first_figure_is_a_picture_though_pyplot_did_not_make_it():
    code = """import helpers
from helpers import plots
from matplotlib.figure import Figure
plots.use_style()
figure = Figure()
axes = figure.subplots()
plots.show(figure, "an empty sheet of paper, white")"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT}}).execute()
    (output,) = notebook.cells[0].outputs
    assert "image/png" in output["data"]
