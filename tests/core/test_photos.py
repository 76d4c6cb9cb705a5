"""helpers.photos: any picture file becomes upright RGB pixels, and then what a network takes."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.photos import open_photo, photo_input


@pytest.fixture
def scene():
    """A picture 30 wide and 20 high, bright on the left."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15] = (200, 100, 50)
    return Image.fromarray(pixels)


def test_a_photo_comes_back(scene, tmp_path):
    scene.save(tmp_path / "a.png")
    photo = open_photo(tmp_path / "a.png")
    assert photo.shape == (20, 30, 3) and photo.dtype == torch.uint8
    assert np.array_equal(photo.numpy(), np.asarray(scene)) and torch.equal(photo, open_photo(str(tmp_path / "a.png")))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "1", "I;16"])
def test_every_mode_becomes_rgb(scene, tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    deep = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257)
    (deep if mode == "I;16" else scene.convert(mode)).save(tmp_path / f"a.{suffix}")
    photo = open_photo(tmp_path / f"a.{suffix}")
    assert photo.shape == (20, 30, 3) and photo[:, :15].float().mean() > photo[:, 15:].float().mean() + 50


def test_a_phone_held_upright(scene, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90° clockwise": the left side comes to the top
    scene.save(tmp_path / "a.jpg", exif=exif)
    photo = open_photo(tmp_path / "a.jpg")
    assert photo.shape == (30, 20, 3) and photo[:13].float().mean() > 80 > photo[17:].float().mean()


def test_what_is_transparent_becomes_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png").min() == 255


def test_what_is_no_photo(scene, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^there is no file .*gone.jpg$"):
        open_photo(tmp_path / "gone.jpg")
    with pytest.raises(ValueError, match="is a folder"):
        open_photo(tmp_path)
    (tmp_path / "letter.jpg").write_text("Dear reader", encoding="utf-8")
    with pytest.raises(ValueError, match=r"letter.jpg is not a picture"):
        open_photo(tmp_path / "letter.jpg")
    scene.resize((300, 200)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"cut.jpg cannot be read as a picture"):
        open_photo(tmp_path / "cut.jpg")


def test_the_input_is_the_middle_square_normalised():
    photo = torch.zeros(40, 100, 3, dtype=torch.uint8)
    photo[:, 30:70] = torch.tensor([127, 255, 0], dtype=torch.uint8)
    pixels = photo_input(photo, image_size=32, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
    assert pixels.shape == (1, 3, 32, 32) and pixels.dtype == torch.float32
    for channel, value in enumerate((0.0, 1.0, -127 / 128)):
        assert torch.allclose(pixels[0, channel], torch.tensor(value), atol=1e-6)
    tall = photo.transpose(0, 1)
    assert torch.equal(
        photo_input(tall, 32, (0.5,) * 3, (0.5,) * 3), photo_input(photo[:, 30:70], 32, (0.5,) * 3, (0.5,) * 3)
    )


# Display P3's primaries as seen under D50, in XYZ (columns r, g, b), and sRGB's (ICC.1:2022 and IEC 61966-2-1).
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def p3_profile() -> bytes:
    """A small ICC profile of version 2: Display P3's primaries with a plain gamma of 2.2."""

    def fixed(values):  # numbers of 16 bits before the point and 16 after it
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(78)}
    tags[b"cprt"] = b"text" + bytes(4) + b"-\0"
    tags[b"wtpt"] = b"XYZ " + bytes(4) + fixed((0.9642, 1.0, 0.8249))
    for letter, column in zip(b"rgb", P3.T, strict=True):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + fixed(column)
        tags[bytes([letter]) + b"TRC"] = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256))
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed((0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + table + body


def as_srgb(colour) -> np.ndarray:
    linear = np.clip(np.linalg.inv(SRGB) @ P3 @ (np.asarray(colour) / 255) ** 2.2, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("colour", [(200, 100, 50), (90, 160, 100), (128, 128, 128), (40, 60, 120)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_phone_s_wide_colours(colour, mode, tmp_path):
    Image.new(mode, (9, 9), colour).save(tmp_path / "a.png", icc_profile=p3_profile())
    seen = open_photo(tmp_path / "a.png")[4, 4].numpy()
    assert np.abs(seen - as_srgb(colour)).max() < 2.5
    if len(set(colour)) > 1:  # a grey is the same grey in both
        assert np.abs(seen - np.array(colour)).max() > 4


def test_a_profile_that_does_not_fit_is_left_alone(tmp_path):
    for number, (mode, profile) in enumerate(
        [("L", p3_profile()), ("RGB", b"no profile"), ("RGB", p3_profile()[:200])]
    ):
        picture = Image.new(mode, (9, 9), 100 if mode == "L" else (200, 100, 50))
        picture.save(tmp_path / f"{number}.png", icc_profile=profile)
        expected = np.asarray(picture.convert("RGB"))
        assert np.array_equal(open_photo(tmp_path / f"{number}.png").numpy(), expected), number
