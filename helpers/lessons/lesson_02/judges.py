"""What a random split and a random crop must keep, whatever was drawn: the judges of exercises 2.4 and 2.6."""

from collections.abc import Callable

import torch


def split_verdict(labels: torch.Tensor, fraction: float) -> Callable:
    """A judge of three splits of `labels` [N], drawn with the seeds 0, 0 and 1: None, or what is wrong in words.

    A split is (training, validation), two tensors or lists of positions. Each class c of n images gives
    round(fraction · n) of them to validation.
    """
    wanted = [round(fraction * count) for count in labels.bincount().tolist()]

    def judge(draws) -> str | None:
        pairs = []
        for draw in draws:
            if not isinstance(draw, (tuple, list)) or len(draw) != 2:
                return "it does not give two things, the positions for training and those for validation"
            pair = [torch.as_tensor(part) for part in draw]
            if any(part.dtype == torch.bool or part.is_floating_point() or part.ndim != 1 for part in pair):
                return "it gives something else than two rows of whole numbers, the positions"
            problem = _wrong_positions(pair, labels, wanted)
            if problem:
                return problem
            pairs.append(set(pair[1].tolist()))
        if pairs[0] != pairs[1]:
            return "it draws other images when it is called again with the same seed"
        first = {int(i) for label, n in enumerate(wanted) for i in torch.nonzero(labels == label).flatten()[:n]}
        if pairs[0] == pairs[2]:
            return (
                f"it draws the same images with another seed{', the first of each class' if pairs[0] == first else ''}"
            )
        return None

    return judge


def _wrong_positions(pair, labels, wanted) -> str | None:
    training, validation = pair
    if not all(((part >= 0) & (part < len(labels))).all() for part in pair):
        return "some positions lie outside the list of labels"
    if all(len(part) and part.max() < len(wanted) for part in pair):
        return "it gives class numbers, not positions"
    twice = [name for name, part in zip(("first", "second"), pair, strict=True) if len(part.unique()) < len(part)]
    if twice:
        return f"some positions come twice in the {' and in the '.join(twice)} part"
    if torch.isin(training, validation).any():
        return "some images are on both sides"
    if len(training) + len(validation) < len(labels):
        return "some images are on neither side"
    counts = labels[validation].bincount(minlength=len(wanted)).tolist()
    if counts == wanted:
        return None
    if labels[training].bincount(minlength=len(wanted)).tolist() == wanted:
        return "the first part has the images of the second"
    if len(set(counts)) == 1 and len(set(wanted)) > 1:
        return "every class gives the same number, although they differ in size"
    return "not every class gives its share, round(fraction × its images), to validation"


def crop_verdict(image: torch.Tensor, padding: int) -> Callable:
    """A judge of many random crops of one image [H,W,3], all different pixels: None, or what is wrong in words.

    Each must be a window [H,W,3] of the image padded with zeros, and every window must come up at least once.
    """
    height, width, _ = image.shape
    padded = torch.nn.functional.pad(image, (0, 0, padding, padding, padding, padding))
    places = range(2 * padding + 1)
    windows = {
        padded[top : top + height, left : left + width].numpy().tobytes(): (top, left)
        for top in places
        for left in places
    }

    def judge(crops) -> str | None:
        seen = set()
        for crop in crops:
            if not isinstance(crop, torch.Tensor) or crop.dtype != torch.uint8:
                return "it does not give a tensor of bytes (uint8)"
            if crop.ndim != 3 or crop.shape[2] != image.shape[2]:
                return "the result is no longer [height, width, 3] (F.pad counts from the last dimension, the channels)"
            if crop.shape != image.shape:
                larger = crop.shape[0] > height or crop.shape[1] > width
                return f"the result is {'larger' if larger else 'not as large'} as the image".replace(
                    "er as", "er than"
                )
            place = windows.get(crop.contiguous().numpy().tobytes())
            if place is None:
                return _no_window(crop, image)
            seen.add(place)
        return _unseen(seen, 2 * padding)

    return judge


def _no_window(crop: torch.Tensor, image: torch.Tensor) -> str:
    if sorted(crop.flatten().tolist()) == sorted(image.flatten().tolist()):
        return "it gives all pixels of the image in other places, and no black border"
    if not (crop == 0).any():
        return "it gives something that is no window of the image padded with black: a border has other colours"
    return "it gives something that is no window of the image padded with black"


def _unseen(seen: set[tuple[int, int]], last: int) -> str | None:
    """What is missing among the start positions (top, left) from 0 to `last` each."""
    tops, lefts = {top for top, _ in seen}, {left for _, left in seen}
    every = set(range(last + 1))
    if len(seen) == (last + 1) ** 2:
        return None
    if len(seen) == 1:
        return "it cuts the same window every time"
    if len(tops) == 1 or len(lefts) == 1:
        return f"it moves {'sideways' if len(tops) == 1 else 'up and down'} only"
    if tops == lefts == every:
        return "down and sideways do not move independently of each other"
    if tops == lefts == every - {last}:
        return "the last start position never comes"
    if tops == lefts == every - {0}:
        return "the first start position never comes"
    if max(tops) <= last // 2:
        return "the window never starts in the second half of the possible places"
    if min(tops) >= last - last // 2:
        return "the window never starts in the first half of the possible places"
    return "some windows never come"
