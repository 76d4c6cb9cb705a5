"""Lesson 05: one picture through several networks, live: what each says, and how long it takes."""

import io
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from helpers.data import CIFAR10_MEAN, CIFAR10_STD
from helpers.latency import Timing
from helpers.photos import open_photo, photo_input

SIDE = 32  # pixels that the networks were trained with
MOST_BYTES, MOST_PIXELS = 8_000_000, 50_000_000  # of a reader's own file
ROUNDS, PATIENCE = 7, 0.12  # timed rounds, and seconds after which no new one begins (three there always are)


@dataclass(frozen=True)
class Lane:
    """One network on one picture."""

    probabilities: torch.Tensor  # [classes]
    timing: Timing


class Stopwatch:
    """The last times of each network. A picture's content changes none of them, so they outlive it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.clock = clock
        self.seconds: dict[float, deque[float]] = {}  # width → its last times, the oldest first
        self._round = 0

    def rounds(self, networks: Mapping[float, nn.Module]) -> int:
        """How many rounds to run at most: one, once there are times of these networks."""
        return 1 if [*self.seconds] == [*networks] else ROUNDS

    def start(self, networks: Mapping[float, nn.Module], image: torch.Tensor) -> dict[float, torch.Tensor]:
        """Time the networks on [1,3,H,W]; what they answer, {width: logits}. They take turns, another one first in
        each round, so that a disturbance of the machine and what the one before left in its caches meet all of them.
        """
        rounds, logits = self.rounds(networks), {}
        if rounds > 1:
            self.seconds = {width: deque(maxlen=ROUNDS) for width in networks}
            for network in networks.values():
                network(image)  # warms up
        begin = self.clock()
        for number in range(rounds):
            if number >= 3 and self.clock() - begin > PATIENCE:
                break
            shift, self._round = self._round % len(networks), self._round + 1
            for width in [*networks][shift:] + [*networks][:shift]:
                network, started = networks[width], self.clock()
                logits[width] = network(image)[0]
                self.seconds[width].append(self.clock() - started)
        return logits

    def forget(self) -> None:
        """Begin anew: the next race runs all its rounds."""
        self.seconds, self._round = {}, 0


def race(networks: Mapping[float, nn.Module], photo: torch.Tensor, watch: Stopwatch | None = None) -> dict[float, Lane]:
    """Run uint8 [H,W,3] through each network with one thread: {width: probabilities, and the time of a single image}.

    A `watch` that has times of these networks already adds a single round to them, so that a hand on the slider need
    not wait; otherwise a round warms up, and several follow.
    """
    watch = watch or Stopwatch()
    image = photo_input(photo, SIDE, CIFAR10_MEAN, CIFAR10_STD).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.inference_mode():
            logits = watch.start(networks, image)
    finally:
        torch.set_num_threads(threads)
    return {width: Lane(logits[width].softmax(0), _timing([*watch.seconds[width]])) for width in networks}


def _timing(seconds: list[float]) -> Timing:
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Timing(median, low, high, len(seconds), 1, 1, "channels_last")


def read_upload(name: str, content: bytes) -> torch.Tensor:
    """A reader's own file → its middle square, uint8 [S,S,3], at most 256 pixels a side.

    Raises ValueError with a sentence for the reader: too large, no picture, damaged.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"{name} has {len(content) / 1e6:.0f} MB: choose a picture of at most {MOST_BYTES / 1e6:.0f} MB"
        )
    try:
        width, height = Image.open(io.BytesIO(content)).size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        width = height = 1  # no picture, or a damaged one: open_photo finds the words
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{name} is {width:,} × {height:,} pixels: choose one of at most {MOST_PIXELS / 1e6:.0f} million"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "photo")
        path.write_bytes(content)
        try:
            photo = open_photo(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"{path.parent}/", "").replace(str(path), path.name)) from None
    side = min(photo.shape[:2])
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    square = Image.fromarray(photo[top : top + side, left : left + side].numpy())
    square.thumbnail((256, 256), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square))
