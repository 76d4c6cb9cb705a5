"""helpers.photos: any picture file becomes upright RGB pixels, and then what a network takes."""

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
    (scene.convert("L").convert(mode) if mode == "I;16" else scene.convert(mode)).save(tmp_path / f"a.{suffix}")
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
    (tmp_path / "letter.jpg").write_text("Dear reader")
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
