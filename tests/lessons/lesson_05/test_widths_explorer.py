"""One image through several widths: which images are found, whose probabilities are shown, and what is refused."""

import pytest
import torch

from helpers.data import ImageSet
from helpers.lessons.lesson_05 import widths_explorer
from helpers.lessons.lesson_05.explorer_widths import GROUPS

CLASSES = ("cat", "dog", "frog")
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
# What networks of three widths predict: by columns, image 0 … 5.
PREDICTED = {
    0.25: [0, 2, 0, 1, 1, 0],
    0.5: [0, 1, 0, 1, 0, 2],
    1.0: [0, 1, 2, 2, 0, 2],
}
WRONG = "the narrowest is wrong"


def logits_of(predicted: list[int], strength: float = 2.0) -> torch.Tensor:
    return strength * torch.nn.functional.one_hot(torch.tensor(predicted), 3).float()


@pytest.fixture
def explorer():
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 4, 4, 3).contiguous()
    test = ImageSet(images, LABELS, CLASSES, "six invented images")
    logits = {width: logits_of(predicted) for width, predicted in PREDICTED.items()}
    return widths_explorer(test, logits, {0.25: 3_000_000, 0.5: 11_100_000, 1.0: 88_000_000})


def found(explorer, group: str) -> list[int]:
    """The images that the button stops at, once around."""
    members = explorer.set(group=group, start=0, clicks=0).result.members
    return [explorer.set(clicks=click).result.index for click in range(members)]


def test_each_group_holds_the_images_that_its_name_promises(explorer):
    expected = {
        "all images": [0, 1, 2, 3, 4, 5],
        WRONG: [1, 2, 3, 5],
        "only the narrowest is wrong": [1, 5],
        "only the widest is right": [2],
        "only the narrowest is right": [4],
        "all are wrong": [3],
    }
    assert list(expected) == list(GROUPS) == list(explorer.controls["group"].options)
    assert {name: found(explorer, name) for name in expected} == expected


def test_the_slider_begins_at_the_next_image_of_the_group_and_the_button_goes_around(explorer):
    explorer.set(group=WRONG)
    assert [explorer.set(start=start).result.index for start in range(6)] == [1, 1, 2, 3, 5, 5]
    explorer.set(start=4, clicks=0)
    assert [explorer.set(clicks=click).result.index for click in range(6)] == [5, 1, 2, 3, 5, 1]
    assert explorer.set(group="all are wrong", start=5, clicks=0).result.index == 3, "none after it: from the beginning"


def test_an_empty_group_is_not_offered():
    images = ImageSet(torch.zeros(3, 2, 2, 3, dtype=torch.uint8), torch.tensor([0, 1, 2]), CLASSES, "")
    right = {width: logits_of([0, 1, 2]) for width in (0.25, 1.0)}
    explorer = widths_explorer(images, right, {0.25: 1, 1.0: 2})
    assert list(explorer.controls["group"].options) == ["all images"]


def test_probabilities_picture_and_words_are_of_that_image(explorer):
    seen = explorer.set(group=WRONG, start=2).result
    assert (seen.index, seen.label, seen.place, seen.members) == (2, 2, 1, 4)
    assert (seen.image == 2).all()
    share = torch.tensor([2.0, 0, 0]).softmax(0)
    assert torch.allclose(seen.probabilities[0.25], share) and torch.allclose(seen.probabilities[1.0], share.flip(0))
    assert "Test image 2, frog" in explorer.words.value
    assert "α 0.25: cat 79 % ✗ · α 0.5: cat 79 % ✗ · α 1.0: frog 79 %" in explorer.words.value
    panels = explorer.figure().axes[1:]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "α 0.25\n3.0M MACs",
        "α 0.5\n11.1M MACs",
        "α 1.0\n88.0M MACs",
    ]
    assert [axes.get_xlabel() for axes in panels] == ["wrong: cat", "wrong: cat", "right"]
    for axes, values in zip(panels, seen.probabilities.values(), strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx((100 * values).tolist())


def test_widths_are_in_order_whatever_the_order_given(explorer):
    assert list(explorer.result.probabilities) == sorted(PREDICTED)


def test_what_does_not_belong_together_is_refused(explorer):
    images = ImageSet(torch.zeros(6, 4, 4, 3, dtype=torch.uint8), LABELS, CLASSES, "")
    with pytest.raises(ValueError, match=r"logits of width 0.5 have shape \[5, 3\], not \[6, 3\]"):
        widths_explorer(images, {0.5: torch.zeros(5, 3)}, {0.5: 1})
    with pytest.raises(ValueError, match=r"every width needs logits and MACs; logits of \[0.5\], MACs of \[0.25\]"):
        widths_explorer(images, {0.5: torch.zeros(6, 3)}, {0.25: 1})
