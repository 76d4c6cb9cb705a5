"""A figure that is built once and then changed: what is drawn anew, how it becomes a PNG, and how it is veiled."""

import struct
import zlib
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from helpers import plots

PIXELS_PER_INCH = 96  # on the page; the picture holds half as many again, so that it is sharp on fine screens
SHARPNESS = 1.5
RESTS = 12  # so many of a picture's grounds are kept, about 3 MB each


class Picture:
    """A drawing of a result. A lesson's subclass builds `figure` in `__init__`; `update(result)` moves its artists.

    moving   the artists that `update` changes. Only these are drawn anew, over a copy of all the rest: five to ten
             times as fast. Left empty, everything is drawn each time.
    still    what the rest depends on (hashable), for instance the network whose matrix it is; the rest is painted anew
             when this differs, and remembered: the second look at a network is as fast as turning a slider
    settled  artists that change with `still` and lie over all that never changes; only they are painted anew then.
             Left empty, everything but the moving ones is
    answers  the axes that a veil covers; None: all of them

    Whoever sees one state must not see traces of the last: `update` sets everything that depends on the result.
    """

    figure: Figure
    moving: Sequence[Artist] = ()
    still: object = None
    settled: Sequence[Artist] = ()
    answers: Sequence[Axes] | None = None

    def update(self, result) -> None:
        raise NotImplementedError


class Screen:
    """Where a `Picture` is painted: knows what need not be painted again."""

    def __init__(self, make: Callable[[], Picture]):
        self._make = make
        with matplotlib.rc_context():
            plots.use_style()
            self.picture = make()
        self._figure = self._base = None
        self._rests: dict = {}  # by `still`: everything but what moves

    def figure(self, result, veiled: bool = False) -> Figure:
        """A fresh figure of this result."""
        with matplotlib.rc_context():
            plots.use_style()
            picture = self._make()
            picture.update(result)
            if veiled:
                cover(picture)
            return picture.figure

    def png(self, result, veiled: bool = False) -> bytes:
        """The picture of this result."""
        with matplotlib.rc_context():
            plots.use_style()
            self.picture.update(result)
            figure = self.picture.figure
            if self._figure is None:
                self._figure = figure
                figure.dpi = PIXELS_PER_INCH * SHARPNESS
                FigureCanvasAgg(figure)
            if veiled:
                covers = cover(self.picture)
                self._paint_all()
                for artist in covers:
                    artist.remove()
            elif self.picture.moving:
                self._paint_moving()
            else:
                self._paint_all()
            return encode(np.asarray(figure.canvas.buffer_rgba()))

    def size(self) -> tuple[int, int]:
        """Width and height on the page in pixels."""
        width, height = self.picture.figure.get_size_inches() * PIXELS_PER_INCH
        return round(width), round(height)

    def _paint_all(self) -> None:
        for artist in [*self.picture.settled, *self.picture.moving]:
            artist.set_animated(False)
        self._figure.canvas.draw()

    def _paint_moving(self) -> None:
        figure, picture = self._figure, self.picture
        for artist in [*picture.settled, *picture.moving]:
            artist.set_animated(True)  # left out of what `draw` paints
        if picture.still not in self._rests:
            if self._base is None or not picture.settled:
                figure.canvas.draw()
                self._base = figure.canvas.copy_from_bbox(figure.bbox)
            self._over(self._base, picture.settled)
            if len(self._rests) == RESTS:
                del self._rests[next(iter(self._rests))]
            self._rests[picture.still] = figure.canvas.copy_from_bbox(figure.bbox)
        self._over(self._rests[picture.still], picture.moving)

    def _over(self, ground, artists: Sequence[Artist]) -> None:
        self._figure.canvas.restore_region(ground)
        for artist in sorted(artists, key=lambda artist: artist.zorder):
            self._figure.draw_artist(artist)


def cover(picture: Picture) -> list[Artist]:
    """Hide the picture's answers, with their axes' numbers and titles, behind grey paper; the artists that do it."""
    figure, covers = picture.figure, []
    renderer = FigureCanvasAgg(figure).get_renderer() if not hasattr(figure.canvas, "get_renderer") else None
    renderer = renderer or figure.canvas.get_renderer()
    for axes in figure.axes if picture.answers is None else picture.answers:
        box = axes.get_tightbbox(renderer, bbox_extra_artists=()).transformed(figure.transFigure.inverted())
        box = Bbox.intersection(box.padded(0.008), Bbox.unit())
        style = {"facecolor": "#E9EDF1", "edgecolor": "#9AA5B1", "zorder": 100, "transform": figure.transFigure}
        covers.append(figure.add_artist(Rectangle((box.x0, box.y0), box.width, box.height, **style)))
        middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        covers.append(figure.text(*middle, "?", fontsize=44, color="#5B6773", ha="center", va="center", zorder=101))
    return covers


def encode(pixels: np.ndarray) -> bytes:
    """PNG of uint8 [H,W,3] or [H,W,4], of which the fourth is left out, packed quickly rather than tightly."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter: 0, none
    for colour in range(3):  # one by one: twice as fast as all pixels at once
        rows[:, 1 + colour :: 3] = pixels[..., colour]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, red green blue
    body = zlib.compress(rows, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
