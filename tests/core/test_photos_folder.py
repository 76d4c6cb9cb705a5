"""helpers.photos: a folder of pictures becomes an ImageSet, and a report says what became of each file."""

import os
import shutil
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import photos
from helpers.photos import REASONS, Unusable, load_folder, open_photo, picture, printable


def scene(width=60, height=40, left=(200, 100, 50)):
    """A picture that is bright on the left, and below it black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = left
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path):
    for name in ("apple", "pear"):
        (tmp_path / "fruit" / name).mkdir(parents=True)
    for index in range(3):
        scene().save(tmp_path / "fruit" / "apple" / f"{index}.png")
        scene(40, 60).save(tmp_path / "fruit" / "pear" / f"{index}.jpg", quality=95)
    return tmp_path / "fruit"


def aside(report) -> dict[str, str]:
    return {name: reason for name, reason, _ in report.aside}


# --------------------------------------------------------------------------------------------------- a folder


def test_a_folder_for_each_class(folder):
    images, report = load_folder(folder, 32)
    assert images.classes == ("apple", "pear") and images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.images.shape == (6, 32, 32, 3) and images.images.dtype == torch.uint8
    assert report.used == tuple(
        f"{name}/{i}.{end}" for name, end in (("apple", "png"), ("pear", "jpg")) for i in (0, 1, 2)
    )
    assert not report.aside and images.source == "fruit: 6 pictures in 2 classes, 32 pixels"
    middle = images.images[0].float().mean((0, 2))  # the middle square: left half bright, right half black
    assert middle[:14].min() > 100 and middle[18:].max() < 10


def test_the_whole_picture_on_white(folder):
    images, _ = load_folder(folder, 32, whole=True)
    assert (images.images[0, :4] == 255).all() and (images.images[0, -4:] == 255).all()  # a wide one: above and below
    assert (images.images[3, :, :4] == 255).all()  # a tall one: at its sides
    assert images.images[0, 16, 2, 0] > 150 and images.images[0, 16, 29, 0] < 60


def test_what_is_set_aside_and_why(folder, tmp_path):
    apple = folder / "apple"
    whole = scene(300, 200)
    whole.save(tmp_path / "whole.jpg")
    blob = (tmp_path / "whole.jpg").read_bytes()
    (apple / "cut.jpg").write_bytes(blob[: len(blob) // 2])
    (apple / "empty.jpg").touch()
    (apple / "letter.jpg").write_text("Dear reader", encoding="utf-8")
    scene(1, 1).save(apple / "dot.png")
    scene(2000, 9).save(apple / "ribbon.png")
    (apple / "phone.heic").write_bytes(struct.pack(">I4s4s", 24, b"ftyp", b"heic") + bytes(40))
    (apple / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (apple / "round").symlink_to(folder)
    os.mkfifo(apple / "pipe.jpg")
    (apple / "bomb.png").write_bytes(png_that_claims(60_000, 60_000))
    (apple / "wide.png").write_bytes(png_that_claims(12_000, 12_000))
    shutil.copy(apple / "0.png", apple / ".hidden.png")
    (apple / "Thumbs.db").write_bytes(b"\xd0\xcf")
    (apple / ".ipynb_checkpoints").mkdir()
    shutil.copy(apple / "0.png", apple / ".ipynb_checkpoints" / "0-checkpoint.png")
    (folder / ".ipynb_checkpoints").mkdir()
    scene().save(folder / "loose.png")
    (folder / "nothing").mkdir()
    images, report = load_folder(folder, 16)
    assert aside(report) == {
        "apple/cut.jpg": "damaged", "apple/empty.jpg": "empty", "apple/letter.jpg": "no picture",
        "apple/dot.png": "tiny", "apple/ribbon.png": "too long", "apple/phone.heic": "no picture",
        "apple/gone.jpg": "cannot be opened", "apple/round": "no ordinary file", "apple/pipe.jpg": "no ordinary file",
        "apple/bomb.png": "enormous", "apple/wide.png": "enormous", "apple/.hidden.png": "hidden",
        "apple/Thumbs.db": "hidden", "apple/.ipynb_checkpoints": "hidden", ".ipynb_checkpoints": "hidden",
        "loose.png": "in no class",
    }  # fmt: skip
    assert len(images) == 6 and images.classes == ("apple", "pear")
    assert set(aside(report).values()) == set(REASONS)
    assert report.reasons["hidden"] == 4 and list(report.reasons) == [r for r in REASONS if r in report.reasons]
    words = str(report)
    assert (
        words.startswith("6 pictures used, 16 files set aside\n") and "phone.heic: no picture (a phone's HEIC" in words
    )
    assert "gone.jpg: cannot be opened (a link that leads nowhere)" in words and "12,000 × 12,000 pixels" in words


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that promise a picture of so many pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


def test_names_in_any_script_and_folders_inside_of_a_class(folder):
    for name in ("苹果 1.png", "яблоко.png", "تفاحة.png", "ä\u0308 (copy).PNG", "no_ending", "line\nbreak.png"):
        scene().save(folder / "apple" / name, "PNG")
    (folder / "apple" / "2024" / "May").mkdir(parents=True)
    scene().save(folder / "apple" / "2024" / "May" / "a.png")
    odd = os.fsencode(folder / "apple") + b"/\xff\xfe.png"
    with open(odd, "wb") as file:
        scene().save(file, "PNG")
    images, report = load_folder(folder, 16)
    assert len(images) == 6 + 8 and not report.aside and images.classes == ("apple", "pear")
    assert "apple/苹果 1.png" in report.used and "apple/2024/May/a.png" in report.used
    assert printable("line\nbreak\udcff") == "line�break�"


def test_a_name_that_no_screen_shows_can_be_printed(folder):
    (folder / "apple" / "bad\udcff\x1b[2J.jpg").touch()
    words = str(load_folder(folder, 16)[1])
    assert words.encode("utf-8") and "\x1b" not in words and "bad��[2J.jpg: empty" in words


def test_links_to_files_are_followed(folder, tmp_path):
    scene(left=(0, 0, 255)).save(tmp_path / "elsewhere.png")
    (folder / "pear" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    assert "pear/link.png" in load_folder(folder, 16)[1].used


def test_a_file_that_may_not_be_read(folder, monkeypatch):
    real = open

    def refuse(path, *arguments, **options):
        if str(path).endswith("1.png"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(picture, "open", refuse, raising=False)
    report = load_folder(folder, 16)[1]
    assert report.aside == (("apple/1.png", "cannot be opened", "Permission denied"),)


def test_folders_without_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load_folder(tmp_path / "gone")
    scene().save(tmp_path / "loose.png")
    with pytest.raises(ValueError, match=r"no usable picture in a class's folder(.|\n)*loose.png: in no class"):
        load_folder(tmp_path)


def test_a_long_report_is_shortened(folder):
    for index in range(30):
        (folder / "apple" / f"e{index}.jpg").touch()
    words = str(load_folder(folder, 16)[1]).splitlines()
    assert len(words) == 22 and words[-1] == "  … empty 30"


# --------------------------------------------------------------------------------------------------- conversions


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        grey = open_photo(tmp_path / name)[..., 0].numpy()
        assert np.array_equal(grey, np.round(ramp / 257)) and grey.max() == 255
    Image.fromarray(ramp.astype(np.float32) / 65535).save(tmp_path / "f.tif")
    assert np.abs(open_photo(tmp_path / "f.tif")[..., 1].numpy() - ramp / 257).max() <= 1
    Image.fromarray((ramp.astype(np.int32) - 30000) * 9).save(tmp_path / "i.tif")
    stretched = open_photo(tmp_path / "i.tif")
    assert (stretched.min(), stretched.max()) == (0, 255)
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "n.tif")
    assert open_photo(tmp_path / "n.tif").shape == (9, 9, 3)


def test_a_shade_that_stands_for_transparent(tmp_path):
    ramp = np.array([[0, 1000], [30000, 65535]], np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png", transparency=1000)
    assert open_photo(tmp_path / "a.png")[..., 0].tolist() == [[0, 255], [117, 255]]


def test_half_transparent_is_mixed_with_white(tmp_path):
    Image.new("RGBA", (9, 9), (200, 0, 0, 51)).save(tmp_path / "a.png")
    wanted = torch.tensor([200, 0, 0]) * 0.2 + 255 * 0.8
    assert (open_photo(tmp_path / "a.png")[0, 0] - wanted).abs().max() <= 1
    palette = Image.new("P", (9, 9), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "p.gif", transparency=1)
    assert open_photo(tmp_path / "p.gif").min() == 255


def test_of_a_moving_picture_the_first(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert open_photo(tmp_path / name)[10, 10].tolist() == [255, 0, 0]


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_way_to_hold_a_camera(tmp_path, turn):
    """The file holds the scene turned the other way, and says how to turn it back."""
    original = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}  # all others undo themselves
    stored = original.transpose(back.get(turn, picture.UPRIGHT[turn])) if turn > 1 else original
    exif = Image.Exif()
    exif[0x0112] = turn
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(open_photo(tmp_path / "a.png"), np.asarray(original))


def test_damaged_notes_do_not_spoil_a_sound_picture(tmp_path):
    scene().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff\x00\x09garbage")
    assert open_photo(tmp_path / "a.jpg").shape == (40, 60, 3)


def test_a_large_jpeg_is_read_at_a_fraction_and_looks_alike(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    assert (
        picture.decode(tmp_path / "a.jpg", 64).size == (200, 150) and picture.decode(tmp_path / "a.jpg").size[0] == 1600
    )
    (tmp_path / "set" / "one").mkdir(parents=True)
    shutil.copy(tmp_path / "a.jpg", tmp_path / "set" / "one")
    fast = load_folder(tmp_path / "set", 64)[0].images[0].float()
    square = Image.open(tmp_path / "a.jpg").crop((200, 0, 1400, 1200)).resize((64, 64), Image.Resampling.BICUBIC)
    assert (fast - torch.from_numpy(np.array(square)).float()).abs().mean() < 3


def test_bytes_instead_of_a_file(tmp_path):
    scene().save(tmp_path / "a.png")
    blob = (tmp_path / "a.png").read_bytes()
    assert torch.equal(open_photo(blob), open_photo(tmp_path / "a.png"))
    with pytest.raises(ValueError, match="this is not a picture"):
        open_photo(b"")
    with pytest.raises(ValueError, match="this cannot be read"):
        open_photo(blob[:100])


def test_formats_that_start_programs_are_not_opened(tmp_path):
    scene().save(tmp_path / "a.eps")
    with pytest.raises(Unusable) as problem:
        picture.decode(tmp_path / "a.eps")
    assert problem.value.reason == "no picture" and "EPS" not in picture.FORMATS
    assert photos.REASONS is REASONS
