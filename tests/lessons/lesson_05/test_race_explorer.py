"""The race: which images are found, whose probabilities and times are shown, what becomes of a reader's own file."""

import io
from datetime import datetime

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import predict
from helpers.latency import Timing
from helpers.lessons.lesson_05 import explorer_race, race_explorer
from helpers.lessons.lesson_05.explorer_race import GREY, GROUPS, MINE, TEST
from helpers.lessons.lesson_05.race import MOST_BYTES, Lane, Stopwatch, race, read_upload
from helpers.models import load_zoo
from helpers.plots import COLOURS

CLASSES = ("cat", "dog", "frog")
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
# What networks of three widths predict: by columns, image 0 … 5.
PREDICTED = {0.25: [0, 2, 0, 1, 1, 0], 0.5: [0, 1, 0, 1, 0, 2], 1.0: [0, 1, 2, 2, 0, 2]}
MACS = {0.25: 3_000_000, 0.5: 11_100_000, 1.0: 88_000_000}
MS = {0.25: 2.0, 0.5: 3.0, 1.0: 5.0}  # and the middle one is unsteady
WRONG = "the narrowest is wrong"


def logits_of(predicted: list[int], strength: float = 2.0) -> torch.Tensor:
    return strength * torch.nn.functional.one_hot(torch.tensor(predicted), 3).float()


@pytest.fixture
def explorer(monkeypatch):
    """Six images whose pixels are their number, and a race of which the outcome is known."""
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 4, 4, 3).contiguous()
    logits = {width: logits_of(predicted) for width, predicted in PREDICTED.items()}

    def known(networks, photo, watch):
        index, lanes = int(photo.float().mean().round()) % 6, {}
        for width in networks:
            median, spread = MS[width] / 1e3, 0.4 if width == 0.5 else 0.01
            timing = Timing(median, median * (1 - spread), median * (1 + spread), 7, 1, 1, "channels_last")
            lanes[width] = Lane(logits[width][index].softmax(0), timing)
        return lanes

    monkeypatch.setattr(explorer_race, "race", known)
    test = ImageSet(images, LABELS, CLASSES, "six invented images")
    networks = {width: nn.Identity() for width in (1.0, 0.25, 0.5)}
    return race_explorer(test, networks, logits, MACS)


def found(explorer, group: str) -> list[int]:
    """The images that the button stops at, once around."""
    first = explorer.set(group=group, start=0).result
    indices = [first.index]
    for _ in range(first.members - 1):
        explorer.controls["on"].click()
        indices.append(explorer.result.index)
    return indices


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


def test_previous_next_and_go_to(explorer):
    explorer.set(group=WRONG)
    assert [explorer.set(start=start).result.index for start in range(6)] == [1, 1, 2, 3, 5, 5]
    explorer.set(start=3)
    for button, index in (("on", 5), ("on", 1), ("back", 5), ("back", 3), ("back", 2)):
        explorer.controls[button].click()
        assert explorer.result.index == explorer.values["start"] == index, "the slider says which image is shown"
    assert explorer.set(group="all are wrong", start=5).result.index == 3, "none after it: from the beginning"


def test_an_empty_group_is_not_offered_and_what_does_not_belong_together_is_refused(monkeypatch):
    monkeypatch.setattr(explorer_race, "race", lambda networks, photo, watch: {
        width: Lane(torch.ones(3) / 3, Timing(1.0, 1.0, 1.0, 7, 1, 1, None)) for width in networks
    })  # fmt: skip
    images = ImageSet(torch.zeros(3, 2, 2, 3, dtype=torch.uint8), torch.tensor([0, 1, 2]), CLASSES, "")
    networks, right = (dict.fromkeys((0.25, 1.0), value) for value in (nn.Identity(), logits_of([0, 1, 2])))
    explorer = race_explorer(images, networks, right, {0.25: 1, 1.0: 2})
    assert list(explorer.controls["group"].options) == ["all images"]
    with pytest.raises(ValueError, match=r"logits of width 1.0 have shape \[5, 3\], not \[3, 3\]"):
        race_explorer(images, networks, {0.25: right[0.25], 1.0: torch.zeros(5, 3)}, {0.25: 1, 1.0: 2})
    with pytest.raises(ValueError, match="network, logits and MACs of the same widths"):
        race_explorer(images, networks, right, {0.25: 1})


# ------------------------------------------------------------------------------------------------ picture and words


def test_panels_hold_the_probabilities_and_lanes_the_times(explorer):
    run = explorer.set(group=WRONG, start=2).result
    assert (run.index, run.label, run.place, run.members) == (2, 2, 1, 4) and (run.image == 2).all()
    picture = explorer._screen.picture
    assert list(picture.panels) == sorted(PREDICTED) == list(run.lanes)
    for (width, (bars, mark)), lane in zip(picture.panels.items(), run.lanes.values(), strict=True):
        assert [bar.get_width() for bar in bars] == pytest.approx((100 * lane.probabilities).tolist())
        assert all(bar.get_visible() for bar in bars if bar.get_width() > 0.5), "what can be seen is drawn"
        predicted = PREDICTED[width][2]
        colours = [to_hex(GREY)] * 3
        colours[predicted], colours[2] = COLOURS["vermillion"].lower(), COLOURS["blue"].lower()
        assert [to_hex(bar.get_facecolor()) for bar in bars] == colours
        assert mark.get_text() == ("right" if predicted == 2 else f"wrong: {CLASSES[predicted]}")
        titles = bars[0].axes.get_title(loc="left"), bars[0].axes.get_title(loc="right")
        assert titles == (f"α {width}", f"{MACS[width] / 1e6:.1f}M")
    assert [bar.get_width() for bar in picture.bars] == pytest.approx([0.4, 0.6, 1.0])
    assert [text.get_text() for text in picture.times] == ["2 ms", "3 ms (unsteady)", "5 ms"]
    outlines = picture.lanes.containers[0]
    assert [bar.get_width() for bar in outlines] == pytest.approx([3 / 88, 11.1 / 88, 1])
    assert picture.name.get_text() == "test image 2, frog" and picture.photo.get_array().max() == 2


def test_the_words(explorer):
    words = explorer.set(group=WRONG, start=2).words.value
    assert "<b>test image 2, frog</b> (2 of 4 in “the narrowest is wrong”)" in words
    assert "α 0.25: cat 79 % ✗, 2 ms (1.98–2.02) · α 0.5: cat 79 % ✗, 3 ms (1.8–4.2) · α 1.0: frog 79 %, 5 ms" in words
    assert "α 1.0 takes 2.50 times as long as α 0.25, for 29.3 times the MACs" in words
    assert "One thread, one picture at a time, median and quartiles of the last 7 calls" in words


def test_veiled_the_race_s_outcome_is_asked_first(explorer):
    images = ImageSet(torch.zeros(6, 4, 4, 3, dtype=torch.uint8), LABELS, CLASSES, "")
    logits = {width: logits_of(predicted) for width, predicted in PREDICTED.items()}
    one = race_explorer(images, {width: nn.Identity() for width in MACS}, logits, MACS, veiled=True)
    assert "29.3 times the MACs" in one.veil.question and "2 ms" not in one.words.value
    assert one._screen.picture.answers == [one._screen.picture.lanes], "the probabilities may be seen"
    one.guess("29")
    assert "You guessed <b>29</b>; it is <b>2.5</b>" in one._asked.children[0].value and "2 ms" in one.words.value


# ------------------------------------------------------------------------------------------------ live


def test_the_race_gives_what_predict_gives_and_a_time_for_each():
    _, test = load_cifar10("sample")
    networks, threads = {width: load_zoo(width) for width in (0.25, 0.5)}, torch.get_num_threads()
    lanes = race(networks, test.images[59])
    assert torch.get_num_threads() == threads
    for width, network in networks.items():
        wanted = predict(network, Batches(test[59:60], 1))[0].softmax(0)
        assert torch.allclose(lanes[width].probabilities, wanted, atol=1e-4)
        timing = lanes[width].timing
        assert 0 < timing.low <= timing.median <= timing.high and (timing.threads, timing.batch) == (1, 1)
        assert 3 <= timing.repetitions <= 7


class Slow(nn.Module):
    """A network that takes `width` seconds of an invented clock, and notes that it ran."""

    def __init__(self, width, order, now):
        super().__init__()
        self.width, self.order, self.now = width, order, now

    def forward(self, image):
        self.order.append(self.width)
        self.now[0] += self.width
        return torch.zeros(1, 3)


@pytest.fixture
def slow():
    """(two networks of 1 and 2 seconds, in which order they ran, a watch that believes them)."""
    order, now = [], [0.0]
    networks = {width: Slow(width, order, now) for width in (1.0, 2.0)}
    return networks, order, Stopwatch(lambda: now[0])


def test_the_networks_take_turns_and_a_slow_machine_ends_the_race_early(slow):
    networks, order, watch = slow
    lanes = race(networks, torch.zeros(32, 32, 3, dtype=torch.uint8), watch)
    assert order == [1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0], "a round to warm up, then three in turns"
    assert [lane.timing.median for lane in lanes.values()] == [1.0, 2.0]


def test_the_next_picture_adds_one_round_to_the_times_until_the_race_is_run_again(slow):
    networks, order, watch = slow
    picture = torch.zeros(32, 32, 3, dtype=torch.uint8)
    race(networks, picture, watch)
    order.clear()
    lanes = race(networks, picture, watch)
    assert order == [2.0, 1.0], "one timed round, the other one first"
    assert lanes[1.0].timing.repetitions == 4
    for _ in range(5):
        lanes = race(networks, picture, watch)
    assert lanes[1.0].timing.repetitions == 7, "the last seven"
    networks[1.0].width = 3.0
    for _ in range(4):
        lanes = race(networks, picture, watch)
    assert lanes[1.0].timing.median == 3.0, "four of the last seven"
    watch.forget()
    assert race(networks, picture, watch)[1.0].timing.repetitions == 3


def test_only_race_again_forgets_the_times(monkeypatch):
    calls = []

    def known(networks, photo, watch):
        calls.append([len(times) for times in watch.seconds.values()])
        return race(networks, photo, watch)

    monkeypatch.setattr(explorer_race, "race", known)
    test = ImageSet(torch.zeros(6, 32, 32, 3, dtype=torch.uint8), LABELS, CLASSES, "six invented images")
    order, now = [], [0.0]
    networks = {width: Slow(width, order, now) for width in MACS}
    one = race_explorer(test, networks, {w: logits_of(p) for w, p in PREDICTED.items()}, MACS)
    one.set(start=2)
    one.set(again=1)
    one.set(start=3)
    assert [bool(times) for times in calls] == [False, True, True, False, True], calls


# ------------------------------------------------------------------------------------------------ a reader's own file


def picture_file(kind: str = "PNG", size=(40, 24), exif: int | None = None) -> bytes:
    """Left half red, right half blue."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2, 0] = pixels[:, size[0] // 2 :, 2] = 255
    image, file, more = Image.fromarray(pixels), io.BytesIO(), {}
    if exif:
        info = Image.Exif()
        info[0x0112] = exif
        more["exif"] = info
    image.save(file, kind, **more)
    return file.getvalue()


def upload(name: str, content: bytes) -> tuple:
    return (
        {
            "name": name,
            "type": "",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime(2026, 1, 1),
        },
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_common_formats_are_read_and_the_middle_is_cut_out(kind):
    square = read_upload(f"mine.{kind.lower()}", picture_file(kind))
    assert square.shape == (24, 24, 3) and square.dtype == torch.uint8
    left, right = square[:, :10].float().mean((0, 1)), square[:, -10:].float().mean((0, 1))
    assert left[0] > 200 > 60 > left[2] and right[2] > 200 > 60 > right[0]


def test_a_large_photo_is_made_small_and_turned_as_the_camera_says():
    square = read_upload("turned.jpg", picture_file("JPEG", (900, 600), exif=6))  # held on its side
    assert square.shape == (256, 256, 3)
    top, bottom = square[:100].float().mean((0, 1)), square[-100:].float().mean((0, 1))
    assert top[0] > 200 and bottom[2] > 200


HUGE = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d494844520000ea600000ea600802000000") + bytes(4)
REFUSED = {
    "notes.txt": (b"these are words, and no picture", "notes.txt is not a picture"),
    "cut.jpg": (picture_file("JPEG", (600, 600))[:900], "cut.jpg cannot be read as a picture"),
    "cut.png": (picture_file("PNG", (600, 600))[:-40], "cut.png cannot be read as a picture"),
    "empty.png": (b"", "empty.png is not a picture"),
    "long.png": (bytes(MOST_BYTES + 1), "long.png has 8 MB: choose a picture of at most 8 MB"),
    "wide.png": (
        picture_file("PNG", (9000, 6000)),
        "wide.png is 9,000 × 6,000 pixels: choose one of at most 50 million",
    ),
    "bomb.png": (HUGE, "bomb.png"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_in_a_sentence_and_the_test_image_stays(explorer, name):
    content, words = REFUSED[name]
    with pytest.raises(ValueError, match=r"^[^/\\]*$"):  # no path of this machine
        read_upload(name, content)
    explorer.controls["photo"].value = upload(name, content)
    run = explorer.result
    assert explorer.values["source"] == MINE and explorer.error == ""
    assert run.notice.startswith(words) and run.notice.endswith("The test image stays.") and run.index == 0
    assert words in explorer.words.value.replace("&#x27;", "'") and "explorer-error" in explorer.words.value


def test_an_own_picture_is_raced_and_test_images_come_back(explorer):
    explorer.controls["photo"].value = upload("../secret/holiday.png", picture_file())
    run, picture = explorer.result, explorer._screen.picture
    assert explorer.values["source"] == MINE and run.index is None and run.label is None and run.notice == ""
    assert run.image.shape == (24, 24, 3) and "holiday.png" in run.name
    assert "the middle square, at 32 × 32 pixels. The networks know ten classes" in explorer.words.value.replace(
        "its", "the"
    )
    assert "✗" not in explorer.words.value
    for bars, mark in picture.panels.values():
        assert mark.get_text() in CLASSES and COLOURS["purple"].lower() in {to_hex(bar.get_facecolor()) for bar in bars}
    explorer.controls["on"].click()
    assert explorer.values["source"] == TEST and explorer.result.index == 1
    assert explorer.set(source=MINE).result.index is None, "the file is still there"
    explorer.set(group=WRONG)
    assert explorer.values["source"] == TEST


def test_without_a_file_it_says_what_to_do(explorer):
    run = explorer.set(source=MINE).result
    assert run.notice.startswith("Choose a picture first") and run.index == 0
    assert run.name.startswith("still test image 0"), "the picture, too, says that it is not the reader's own"


def test_a_file_is_read_once(explorer, monkeypatch):
    read = []
    monkeypatch.setattr(
        explorer_race, "read_upload", lambda name, content: read.append(name) or torch.zeros(8, 8, 3).byte()
    )
    explorer.controls["photo"].value = upload("one.png", picture_file())
    for _ in range(3):
        explorer.controls["again"].click()
    assert read == ["one.png"] and explorer.result.index is None
    explorer.controls["photo"].value = upload("two.png", picture_file())
    assert read == ["one.png", "two.png"]
