"""Contact sheets, the sample, ImageSet, splits and channel statistics."""

import hashlib
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.data import CLASSES, ImageSet, channel_stats, load_cifar10, read_sheet, read_sheets, split, write_sheet


def pictures(count: int, seed: int = 0, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, side, side, 3), generator=generator, dtype=torch.uint8)


def image_set(labels, classes=CLASSES, side: int = 4) -> ImageSet:
    return ImageSet(pictures(len(labels), side=side), torch.tensor(labels, dtype=torch.int64), classes, "made up")


@pytest.fixture
def folder(tmp_path):
    """train/ with 6 and test/ with 4 random images a class."""
    for part, count, columns in (("train", 6, 3), ("test", 4, 2)):
        (tmp_path / part).mkdir()
        for label, name in enumerate(CLASSES):
            write_sheet(pictures(count, seed=label + 100 * count), tmp_path / part / f"{name}.png", columns)
    return tmp_path


# -------------------------------------------------------------------------------- the sample


def test_sample_matches_its_manifest():
    lines = (data.SAMPLE / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert sorted(listed) == sorted(p.relative_to(data.SAMPLE).as_posix() for p in data.SAMPLE.glob("*/*.png"))
    assert len(listed) == 20
    for name, digest in listed.items():
        assert hashlib.sha256((data.SAMPLE / name).read_bytes()).hexdigest() == digest, f"{name} was changed"


def test_sample_has_500_and_200_images_a_class(monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", "/nowhere")  # the sample never looks there
    train, test = load_cifar10()
    assert torch.bincount(train.labels).tolist() == [500] * 10 and torch.bincount(test.labels).tolist() == [200] * 10
    assert train.images.shape == (5000, 32, 32, 3) and train.images.dtype == torch.uint8
    assert train.source == test.source == "CIFAR-10 sample: 5,000 + 2,000 of 60,000 images"
    # Sky is blue and frogs are not: a swapped class or channel would show here.
    colour = train.images.float().mean((1, 2))
    airplane, frog = (colour[train.labels == CLASSES.index(name)].mean(0) for name in ("airplane", "frog"))
    assert airplane[2] > airplane[0] + 5 and frog[0] > frog[2] + 5


def test_no_image_is_both_training_and_test_image():
    train, test = load_cifar10()
    seen = {image.numpy().tobytes() for image in train.images}
    assert not any(image.numpy().tobytes() in seen for image in test.images)


def test_load_cifar10_refuses_another_name():
    with pytest.raises(ValueError, match='load_cifar10 takes "sample" or "full", not \'ful\''):
        load_cifar10("ful")


# -------------------------------------------------------------------------------- contact sheets


def test_a_sheet_comes_back_as_it_was_written(tmp_path):
    images = pictures(12)
    write_sheet(images, tmp_path / "bird.png", columns=4)
    assert torch.equal(read_sheet(tmp_path / "bird.png"), images)
    with Image.open(tmp_path / "bird.png") as sheet:
        assert sheet.size == (4 * 32, 3 * 32) and sheet.mode == "RGB"
        assert np.array_equal(np.asarray(sheet)[32:64, :32], images[4].numpy()), "images run row by row"
    assert [path.name for path in tmp_path.iterdir()] == ["bird.png"]


@pytest.mark.parametrize("count, columns", [(12, 5), (0, 4), (12, 0), (12, -3)])
def test_write_sheet_wants_full_rows(tmp_path, count, columns):
    with pytest.raises(ValueError, match=f"{count} images do not fill rows of {columns}"):
        write_sheet(pictures(count), tmp_path / "bird.png", columns)


def test_a_folder_of_sheets(folder):
    train, test = read_sheets(folder, "{train:,} + {test:,} images")
    assert len(train) == 60 and len(test) == 40 and train.source == "60 + 40 images"
    assert torch.equal(train.images[12:18], pictures(6, seed=602)), "class 2 is bird"
    assert train.labels.tolist() == [label for label in range(10) for _ in range(6)]
    assert train.classes == CLASSES


@pytest.mark.parametrize("count", [1, 3, 6])
def test_cifar10_dir_takes_any_number_of_images(folder, monkeypatch, count):
    write_sheet(pictures(count), folder / "train" / "frog.png", columns=count)
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    train, test = load_cifar10("full")
    assert torch.bincount(train.labels)[6] == count and len(train) == 54 + count
    assert train.source == test.source == f"CIFAR-10, {54 + count} + 40 of 60,000 images"


def test_only_60_000_images_are_called_complete(folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    blank = {"train": torch.zeros(50_000, 1, 1, 3, dtype=torch.uint8), "test": torch.zeros(10_000, 1, 1, 3).byte()}
    sets = [ImageSet(images, torch.zeros(len(images)).long(), CLASSES, "") for images in blank.values()]
    monkeypatch.setattr(data, "read_sheets", lambda *_: tuple(sets))
    assert load_cifar10("full")[0].source == "CIFAR-10, complete"
    sets[1] = sets[1][1:]
    assert load_cifar10("full")[0].source == "CIFAR-10, 50,000 + 9,999 of 60,000 images"


def deep_png(path):
    """A PNG of 32×32 pixels in RGB with 16 bits a channel, which Pillow can read but not write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(b"".join(b"\0" + bytes(32 * 6) for _ in range(32)))
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def spoil_jpeg(path):
    Image.fromarray(pictures(1)[0].numpy()).save(path, "JPEG")


def spoil_truncated(path):
    blob = path.read_bytes()
    path.write_bytes(blob[: len(blob) // 2])


def convert(mode):
    def spoil(path):
        with Image.open(path) as sheet:
            other = sheet.convert(mode)
        other.save(path)

    return spoil


def sized(width, height):
    return lambda path: Image.new("RGB", (width, height)).save(path)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (convert("RGBA"), "is a PNG with mode RGBA: a contact sheet is a lossless PNG in RGB, 8 bits a channel"),
        (convert("P"), "is a PNG with mode P: .*Copy the original again"),
        (convert("L"), "is a PNG with mode L: .*Copy the original again"),
        (convert("I;16"), "is a PNG with mode I;16, 16 bits a channel: .*Copy the original again"),
        (deep_png, "is a PNG with mode RGB, 16 bits a channel: .*Copy the original again"),
        (spoil_jpeg, "is a JPEG with mode RGB: .*Copy the original again"),
        (spoil_truncated, "cannot be read as an image .*: restore or copy it again"),
        (lambda path: path.write_bytes(b""), "cannot be read as an image .*: restore or copy it again"),
        (
            lambda path: path.write_text("version 1", encoding="utf-8"),
            "cannot be read as an image .*: restore or copy it again",
        ),
        (sized(100, 64), "is 100×64 pixels, and both should be multiples of 32: copy the original again"),
        (sized(64, 31), "is 64×31 pixels, and both should be multiples of 32: copy the original again"),
    ],
)
def test_a_spoilt_sheet_is_named(folder, spoil, words):
    spoil(folder / "test" / "deer.png")
    with pytest.raises(ValueError, match=f"test.deer.png {words}"):
        read_sheets(folder, "")


def test_a_folder_in_place_of_a_sheet(folder):
    (folder / "test" / "deer.png").unlink()
    (folder / "test" / "deer.png").mkdir()
    with pytest.raises(ValueError, match=r"deer.png cannot be read as an image"):
        read_sheets(folder, "")


def test_missing_renamed_unknown_and_no_sheets(folder):
    with pytest.raises(FileNotFoundError, match=r"nothing.png is missing: a class's images are one sheet named after"):
        read_sheet(folder / "nothing.png")
    cat = folder / "train" / "cat.png"
    cat.rename(folder / "train" / "Katze.png")
    with pytest.raises(FileNotFoundError, match=r"cat.png is missing \(1 of 10 sheets\). Renamed\? Katze.png is there"):
        read_sheets(folder, "")
    (folder / "train" / "Katze.png").unlink()
    (folder / "train" / "dog.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"cat.png is missing \(2 of 10 sheets\).$"):
        read_sheets(folder, "")
    write_sheet(pictures(1), cat, 1)
    write_sheet(pictures(1), folder / "train" / "dog.png", 1)
    write_sheet(pictures(1), folder / "train" / "unicorn.png", 1)
    with pytest.raises(ValueError, match=r"unicorn.png: 'unicorn' is no class of CIFAR-10: remove it"):
        read_sheets(folder, "")
    for path in (folder / "train").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"train holds no contact sheet: .* airplane.png to truck.png"):
        read_sheets(folder, "")


# -------------------------------------------------------------------------------- ImageSet


def test_image_set_indexing():
    images = image_set([0, 1, 2, 1, 0])
    assert len(images) == 5
    for which, kept in [
        (slice(1, 4), [1, 2, 3]),
        (images.labels == 1, [1, 3]),
        (torch.tensor([4, 0]), [4, 0]),
        ([2, 2], [2, 2]),
        (3, [3]),
        (-1, [4]),
        (np.int64(3), [3]),
        (torch.tensor(3), [3]),
        (np.array([4, 0]), [4, 0]),
    ]:
        part = images[which]
        assert isinstance(part, ImageSet) and part.source == "made up" and part.classes == CLASSES
        assert torch.equal(part.images, images.images[kept]) and torch.equal(part.labels, images.labels[kept])


def test_image_set_refuses_what_does_not_fit():
    images, labels = pictures(3), torch.tensor([0, 1, 2])
    with pytest.raises(ValueError, match=r"images must be uint8 of shape \[N,H,W,3\], not torch.float32"):
        ImageSet(images.float(), labels, CLASSES, "")
    with pytest.raises(ValueError, match=r"not torch.uint8 of shape \[3, 3, 32, 32\]"):
        ImageSet(images.permute(0, 3, 1, 2), labels, CLASSES, "")
    with pytest.raises(
        ValueError, match=r"labels must be int64 of shape \[3\], one an image, not torch.int64 .* \[2\]"
    ):
        ImageSet(images, labels[:2], CLASSES, "")
    with pytest.raises(ValueError, match=r"not torch.int32"):
        ImageSet(images, labels.int(), CLASSES, "")
    for wrong in ([0, 1, 10], [-1, 0, 0]):
        with pytest.raises(ValueError, match=r"a label lies outside 0..9: there are 10 classes"):
            ImageSet(images, torch.tensor(wrong), CLASSES, "")


# -------------------------------------------------------------------------------- split


def key(images: ImageSet) -> set[bytes]:
    return {image.numpy().tobytes() for image in images.images}


def test_split_is_stratified_disjoint_and_complete():
    images = image_set([0] * 40 + [1] * 20 + [2] * 10, ("a", "b", "c"))
    rest, part = split(images, 0.3)
    assert torch.bincount(rest.labels).tolist() == [28, 14, 7] and torch.bincount(part.labels).tolist() == [12, 6, 3]
    assert not key(rest) & key(part) and key(rest) | key(part) == key(images)
    assert rest.source == part.source == images.source
    # Images keep their labels: look one of each up again.
    for half in (rest, part):
        where = (images.images == half.images[-1]).flatten(1).all(1).nonzero().item()
        assert images.labels[where] == half.labels[-1]


def test_split_is_the_same_for_the_same_seed_only():
    images = image_set([0, 1] * 50, ("a", "b"))
    torch.manual_seed(1)
    first = split(images, 0.5, seed=3)[1]
    torch.manual_seed(2)
    assert torch.equal(first.images, split(images, 0.5, seed=3)[1].images)
    assert not torch.equal(first.images, split(images, 0.5, seed=4)[1].images)
    assert not torch.equal(first.images, images[:50].images), "the first half is no random part"


def test_split_refuses_a_fraction_that_leaves_nothing():
    images = image_set([0] * 10 + [1] * 4, ("many", "few"))
    with pytest.raises(ValueError, match=r"0.1 of the 4 images of class 'few' leaves one side with none"):
        split(images, 0.1)
    with pytest.raises(ValueError, match=r"0.9 of the 4 images of class 'few' leaves one side with none"):
        split(images, 0.9)
    for fraction in (0, 1, -0.5, 1.5, float("nan")):
        with pytest.raises(ValueError, match="the fraction to split off lies between 0 and 1"):
            split(images, fraction)
    with pytest.raises(ValueError, match="the 0 images of class 'none'"):
        split(image_set([0] * 4, ("some", "none")), 0.5)


# -------------------------------------------------------------------------------- channel statistics


def test_channel_stats_against_numpy():
    images = image_set([0] * 37, side=5)
    images.images[:, :, :, 2] //= 3  # make the channels differ
    pixels = images.images.numpy().astype(np.float64) / 255
    stats = channel_stats(images)
    assert np.allclose(stats.mean, pixels.mean((0, 1, 2)), atol=1e-12)
    assert np.allclose(stats.std, pixels.std((0, 1, 2)), atol=1e-9)
    assert np.allclose(stats.per_image_std, pixels.reshape(37, 25, 3).std(1, ddof=1).mean(0), atol=1e-12)


def test_channel_stats_of_more_images_than_one_portion():
    images = ImageSet(pictures(5003, side=2), torch.zeros(5003).long(), ("a",), "")
    pixels = images.images.numpy().astype(np.float64) / 255
    stats = channel_stats(images)
    assert np.allclose(stats.mean, pixels.mean((0, 1, 2)), atol=1e-12)
    assert np.allclose(stats.std, pixels.std((0, 1, 2)), atol=1e-9)


def test_channel_stats_of_the_sample_are_near_the_published_ones():
    """Tells the true deviation from the copied one, which is 0.04 smaller."""
    stats = channel_stats(load_cifar10()[0])
    assert np.allclose(stats.mean, data.CIFAR10_MEAN, atol=0.003)
    assert np.allclose(stats.std, data.CIFAR10_STD, atol=0.002)
    assert np.allclose(stats.per_image_std, (0.2023, 0.1994, 0.2010), atol=0.003)


def test_channel_stats_of_nothing():
    with pytest.raises(ValueError, match="an empty set has no channel statistics"):
        channel_stats(image_set([]))
