"""The confusion explorer: every image in its cell, once, the surest first."""

from itertools import chain

import pytest
import torch

from helpers.data import ImageSet
from helpers.evaluation import confusion_matrix
from helpers.lessons.lesson_08 import confusion_explorer
from helpers.lessons.lesson_08.explorer_confusion import COLUMNS, PAGE, ConfusionPicture, text

NAMES = ("cat", "dog", "frog")


def made(images: int = 300) -> tuple[ImageSet, torch.Tensor]:
    """Images of three classes, each with its own grey, and logits that are often wrong. No image is called frog."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (images,), generator=random)
    pixels = torch.arange(images).remainder(256).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 32, 32, 3)
    logits = torch.randn(images, 3, generator=random)
    logits[:, 2] = -9
    return ImageSet(pixels.contiguous(), labels, NAMES, "made for a test"), logits


@pytest.fixture(scope="module")
def explorer():
    images, logits = made()
    return confusion_explorer(images, {"first": logits, "second": -logits})


def test_the_cells_hold_every_image_once_and_agree_with_the_counts(explorer):
    images, logits = made()
    seen = []
    for true in NAMES:
        for called in NAMES:
            cell = explorer.set(network="first", true=true, called=called, clicks=0).result
            assert len(cell.members) == confusion_matrix(logits, images.labels)[cell.true, cell.called]
            assert (images.labels[cell.members] == cell.true).all()
            assert (logits[cell.members].argmax(1) == cell.called).all()
            sure = logits[cell.members].softmax(1).max(1).values
            assert torch.equal(sure, sure.sort(descending=True).values), "the surest first"
            assert cell.confidence == pytest.approx(sure[:PAGE].tolist())
            seen += cell.members
    assert sorted(seen) == list(range(len(images)))


def test_the_button_leafs_through_the_cell_and_begins_again(explorer):
    explorer.set(network="first", true="cat", called="cat", clicks=0)
    members = explorer.result.members
    pages = -(-len(members) // PAGE)
    assert pages > 1
    shown = [explorer.set(clicks=click).result.shown for click in range(pages)]
    assert list(chain(*shown)) == members and "Shown: 25 to" in explorer.set(clicks=1).words.value
    assert explorer.set(clicks=pages).result.shown == shown[0]


def test_the_first_state_is_the_most_frequent_mistake():
    images, logits = made()
    counts = confusion_matrix(logits, images.labels).fill_diagonal_(0)
    cell = confusion_explorer(images, {"only": logits}).result
    assert counts[cell.true, cell.called] == counts.max() == len(cell.members) and cell.true != cell.called


def test_an_empty_cell_is_said_and_drawn(explorer):
    cell = explorer.set(network="first", true="cat", called="frog", clicks=0).result
    assert cell.members == cell.shown == [] and "0 of" in text(cell, NAMES) and "Shown: none" in text(cell, NAMES)
    assert "precision" not in text(cell, NAMES), "nothing was called frog"


def test_the_words_give_recall_and_precision(explorer):
    cell = explorer.set(network="first", true="dog", called="cat", clicks=0).result
    row, column = cell.counts[1], cell.counts[:, 0]
    words = text(cell, NAMES)
    assert (
        f"recall of dog {row[1] / row.sum():.1%}" in words
        and f"precision of cat {column[0] / column.sum():.1%}" in words
    )
    assert f"({row[0] / row.sum():.1%})" in words


def test_what_does_not_fit_is_refused():
    images, logits = made()
    with pytest.raises(ValueError, match="at least one network"):
        confusion_explorer(images, {})
    with pytest.raises(ValueError, match=r"same images .* shapes are \[299\] and \[300\]"):
        confusion_explorer(images, {"short": logits[1:]})


# ------------------------------------------------------------------------------------------------ the picture


def test_every_number_stands_in_its_cell_and_the_frame_around_the_chosen_one(explorer):
    images, logits = made()
    for network, values in (("second", -logits), ("first", logits)):
        for true, called in (("cat", "dog"), ("dog", "dog"), ("frog", "cat")):
            picture = explorer._screen.picture  # the page's own, moved from state to state
            picture.update(explorer.set(network=network, true=true, called=called, clicks=0).result)
            matrix = picture.figure.axes[0]
            counts = confusion_matrix(values, images.labels)
            written = {number.get_position(): number.get_text() for number in matrix.texts}
            expected = {(c, t): str(int(counts[t, c]) or "") for t in range(3) for c in range(3)}
            assert written == expected, "column: the answer, row: the truth"
            shade = torch.as_tensor(matrix.images[0].get_array()).float()
            assert torch.allclose(shade, (counts / counts.sum(1, keepdim=True)).sqrt().float())
            for number in matrix.texts:
                column, row = number.get_position()
                assert (number.get_color() == "white") == bool(shade[row, column] > 0.6), "legible on its shade"
            (frame,) = matrix.patches
            assert frame.get_xy() == (NAMES.index(called) - 0.5, NAMES.index(true) - 0.5)
            assert (frame.get_width(), frame.get_height()) == (1, 1)
            for ticks in (matrix.get_xticklabels(), matrix.get_yticklabels()):
                assert [tick.get_text() for tick in ticks] == list(NAMES)


def test_each_image_lies_at_its_place_over_its_confidence(explorer):
    images, _ = made()
    for clicks in (1, 0):
        cell = explorer.set(network="first", true="cat", called="cat", clicks=clicks).result
        explorer._screen.picture.update(cell)
        pictures = explorer._screen.picture.figure.axes[1]
        paper = pictures.images[0].get_array()
        for place in range(PAGE):
            row, column = divmod(place, COLUMNS)
            seen = paper[row * 40 : row * 40 + 32, column * 35 : column * 35 + 32]
            words, (x, y) = pictures.texts[place].get_text(), pictures.texts[place].get_position()
            if place < len(cell.shown):
                assert (seen == images.images[cell.shown[place]].numpy()).all()
                assert words == f"{cell.confidence[place]:.0%}"
            else:
                assert (seen == 255).all() and words == ""
            assert column * 35 < x < column * 35 + 32 and row * 40 + 32 < y < (row + 1) * 40, "below its image"
        assert pictures.get_title(loc="left") == f"cat, called cat: {len(cell.members)} images"


def test_the_picture_is_made_for_these_images():
    images, logits = made(6)
    picture = ConfusionPicture(images)
    picture.update(confusion_explorer(images, {"only": logits}).result)
    assert [tick.get_text() for tick in picture.figure.axes[0].get_yticklabels()] == list(NAMES)
