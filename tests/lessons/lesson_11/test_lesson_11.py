"""Lesson 11: twins, the messy folder, heat maps, costs; and the functions of its pages."""

from datetime import datetime
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers import ROOT
from helpers.data import ImageSet
from helpers.lessons.lesson_11 import look, messy, plots, projects, to_write, twins
from helpers.lessons.lesson_11.explorer_photo import OWN, example, square_of
from helpers.photos import load_folder

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def photos():
    return load_folder(messy.PHOTOS, whole=True)


# --------------------------------------------------------------------------------------------------- twins


@pytest.mark.parametrize("how", twins.CHANGES)
def test_copies_are_found_and_different_photos_are_not(photos, how):
    images = photos[0].images
    alike = twins.likeness(images, twins.changed(images, how))
    assert (alike.diagonal() >= twins.LEAST).float().mean() >= 0.95
    false = (alike >= twins.LEAST).sum() - (alike.diagonal() >= twins.LEAST).sum()
    assert false < 0.01 * len(images) * (len(images) - 1)


@pytest.mark.parametrize("how", ["mirrored", "cropped by 15 %"])
def test_what_the_search_was_not_made_for_is_missed(photos, how):
    images = photos[0].images
    copies = twins.changed(images, how)
    assert copies.shape == images.shape and not torch.equal(copies, images)
    assert (twins.likeness(images, copies).diagonal() >= twins.LEAST).float().mean() < 0.3


def test_zooms_find_what_one_thumbnail_would_miss(photos):
    images = photos[0].images[:40]
    nearer = twins.changed(images, "shown 10 % larger")
    plain = (twins.thumbnails(images.permute(0, 3, 1, 2)) * twins.thumbnails(nearer.permute(0, 3, 1, 2))).sum(1)
    assert (plain < twins.LEAST).float().mean() > 0.5


def test_pairs_come_once_in_blocks_of_any_size(photos):
    images = torch.cat([photos[0].images[:7], twins.changed(photos[0].images[:7], "moved by 2 pixels")])
    pairs = twins.near_pairs(images)
    assert sorted((i, j) for i, j, _ in pairs) == [(i, i + 7) for i in range(7)]
    assert [pair[:2] for pair in twins.near_pairs(images, block=3)] == [pair[:2] for pair in pairs]


def test_groups_join_through_others():
    assert twins.groups(6, [(4, 5, 1.0), (0, 2), (2, 4)]).tolist() == [0, 1, 0, 3, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_a_split_never_parts_a_group(seed):
    labels = torch.arange(60) % 3
    image_set = ImageSet(torch.zeros(60, 4, 4, 3).byte(), labels, ("a", "b", "c"), "made up")
    pairs = [(i, i + 30) for i in range(0, 30, 2)] + [(0, 31)]  # the last joins two classes
    group = twins.groups(60, pairs)
    left, right = twins.split_groups(image_set, group, 0.3, seed)
    assert sorted([*left.tolist(), *right.tolist()]) == list(range(60)) and abs(len(right) - 18) <= 3
    assert not set(group[left].tolist()) & set(group[right].tolist())
    again = twins.split_groups(image_set, group, 0.3, seed)
    assert torch.equal(left, again[0]) and not torch.equal(left, twins.split_groups(image_set, group, 0.3, seed + 9)[0])


def test_splits_that_cannot_be():
    image_set = ImageSet(torch.zeros(4, 4, 4, 3).byte(), torch.tensor([0, 0, 1, 1]), ("a", "b"), "made up")
    with pytest.raises(ValueError, match="class 'a' has 1 groups"):
        twins.split_groups(image_set, torch.tensor([0, 0, 2, 3]), 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        twins.split_groups(image_set, torch.arange(4), 1)


# --------------------------------------------------------------------------------------------------- the folder


def test_the_messy_folder(tmp_path):
    folder = messy.make_messy(tmp_path / "my photos")
    mine, report = load_folder(folder, 64)
    assert len(mine) == 8 and set(report.reasons) == {"hidden", "in no class", "empty", "no picture", "tiny",
                                                      "too long", "damaged"}  # fmt: skip
    (pair,) = twins.near_pairs(mine.images)
    assert [report.used[i] for i in pair[:2]] == ["fruit/tomato.jpg", "vegetable/tomato.png"]
    found = {name: (naive, right) for name, naive, right in messy.naive_and_right(folder)}
    assert found["16 bits"][0].mean() > 250 > found["16 bits"][1].mean()
    assert found["phone held upright"][0].swapaxes(0, 1).shape == found["phone held upright"][1].shape
    assert found["transparent ground"][0].mean() < found["transparent ground"][1].mean() - 30
    assert np.array_equal(*found["moving"])


# --------------------------------------------------------------------------------------------------- heat maps


def test_grad_cam_of_the_second_page_is_the_weighted_sum_of_a_linear_head(functions_of):
    torch.manual_seed(0)
    last, head = torch.rand(6, 3, 5), nn.Linear(6, 2).requires_grad_(False)
    network = SimpleNamespace(model=None)
    cam_of = functions_of("11b_what_did_it_look_at", cam=to_write.grad_cam, network=network)["cam_of"]
    wanted = (last * head.weight[1][:, None, None]).sum(0).relu() / 15
    assert torch.allclose(cam_of(last, 1, head), wanted, atol=1e-6)


def test_covering_of_the_second_page_is_that_by_grey_and_by_white(functions_of):
    torch.manual_seed(0)
    weight, head = torch.rand(3, 64, 64), nn.Linear(1, 2).requires_grad_(False)
    head.weight[:] = torch.tensor([[1.0], [-1.0]])
    network = SimpleNamespace(model=lambda x: (x * weight).sum((1, 2, 3))[:, None])
    pixels, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 2, 2)
    known = {"heads": [head], "fold": [0], "said": [0], "network": network, "pixels": pixels, "maps": maps}
    known |= {"cam": to_write.grad_cam, "occlude": to_write.occlusion}
    found = functions_of("11b_what_did_it_look_at", **known)["heat"](0)

    def worth(fill):
        return ((pixels[0] - fill) * weight).sum(0).reshape(2, 32, 2, 32).sum((1, 3))

    assert torch.allclose(found["covered, grey"], worth(0), rtol=1e-3, atol=0.1)
    assert torch.allclose(found["covered, white"], worth(look.WHITE), rtol=1e-3, atol=0.1)


def test_a_random_network_is_another_and_leaves_the_first_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    before, images = {k: v.clone() for k, v in model.state_dict().items()}, torch.randn(8, 3, 6, 6)
    state = torch.get_rng_state()
    fresh = look.randomised(model, images, seed=1)
    assert torch.equal(state, torch.get_rng_state()) and not fresh.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not torch.equal(fresh[0].weight, model[0].weight)
    assert torch.allclose(fresh[:2](images).mean((0, 2, 3)), torch.zeros(4), atol=1e-4)


def test_correlation_ink_and_grounds(photos):
    one = torch.arange(6.0).reshape(2, 3)
    assert look.correlation(one, 3 * one + 2) == pytest.approx(1) and look.correlation(one, -one) == pytest.approx(-1)
    flat = look.correlation(one, torch.ones(2, 3))
    assert flat != flat and look.middle([flat, 0.5, 0.1, 0.9]) == 0.5 and look.middle([flat]) != look.middle([flat])
    blob = look.blob(5)
    assert blob[2, 2] == blob.max() == 1 and torch.equal(blob, blob.T) and torch.equal(blob, blob.flip(0))
    picture = torch.full((8, 8, 3), 255, dtype=torch.uint8)
    picture[:4, :4] = 0
    assert look.ink(picture, 2).tolist() == [[1, 0], [0, 0]]
    images, report = photos
    white = look.on_ground(report.used[:10], "white")
    assert (white.float() - images.images[:10].float()).abs().mean() < 1
    pattern = look.on_ground(report.used[:2], 0)
    assert torch.equal(pattern, look.on_ground(report.used[:2], 0)) and pattern[:, :5, :5].float().std() > 3
    assert look.blurred(images.images[:2], 16).shape == (2, 224, 224, 3)
    for corner, (row, column) in look.CORNERS.items():
        moved = look.in_corner(images.images[:2], corner)
        here = moved[:, 112 * row : 112 * row + 112, 112 * column : 112 * column + 112]
        assert (moved < 250).sum() == (here < 250).sum() > 1000


def test_opaque_photos_cover_the_ground_and_are_upright(tmp_path):
    picture = Image.new("RGB", (80, 40), "red")
    messy.turned_phone(tmp_path / "a.jpg", picture.transpose(Image.Transpose.ROTATE_90))
    (on_black,) = look.on_ground(["a.jpg"], "black", tmp_path, side=80)
    assert on_black[40, 40].tolist() == pytest.approx([254, 0, 0], abs=3)
    assert on_black[40, 5].tolist() == [0, 0, 0] and on_black[5, 40].tolist() != [0, 0, 0]


# --------------------------------------------------------------------------------------------------- costs


@pytest.mark.parametrize("project", projects.PROJECTS, ids=lambda project: project.use)
def test_the_cheapest_threshold_is_that_of_trying_all_with_the_room_s_costs(project):
    generator = torch.Generator().manual_seed(1)
    positive = torch.rand(300, generator=generator) < 0.2
    probability = (torch.rand(300, generator=generator) + positive).div(2).mul(50).round() / 50  # many equal values
    chosen = to_write.cheapest(probability, positive, project.miss, project.alarm)
    every = probability.unique().double()
    costs = projects.cost_curve(probability.double(), positive, project, every.tolist())
    mine = projects.cost_curve(probability.double(), positive, project, [chosen])
    assert mine[0] == costs.min()
    rule = projects.formula(project)
    assert rule * project.miss == pytest.approx((1 - rule) * project.alarm)
    less, low, high = projects.saved(probability, positive, project, chosen)
    assert low <= less <= high and less >= 0


def test_a_card_with_a_missing_number_is_refused():
    with pytest.raises(KeyError):
        projects.model_card(name="x")


# --------------------------------------------------------------------------------------------------- the explorer


def test_the_photo_explorer_walks_and_takes_a_file(tmp_path):
    explorer = example()
    for photo in range(6):
        assert explorer.set(photo=photo).result.label == (0, 1, 0, 1, 1, 0)[photo]
    assert "Choose a file first" in explorer.set(source=OWN).words.value
    content = (messy.PHOTOS / "fruit" / "lemon.png").read_bytes()
    file = {"name": "lemon.png", "content": memoryview(content), "type": "image/png", "size": len(content)}
    file["last_modified"] = datetime(2026, 1, 1)
    explorer.controls["file"].value = (file,)
    assert explorer.values["source"] == OWN and explorer.result.name == "lemon.png" and explorer.result.label is None
    assert "lemon.png" in explorer.words.value and "whatever it sees" in explorer.words.value
    assert explorer.result.image.shape == (224, 224, 3)
    bad = {**file, "name": "letter.jpg", "content": memoryview(b"Dear reader")}
    explorer.controls["file"].value = (bad,)
    assert "letter.jpg is not a picture" in explorer.words.value and explorer.error == ""
    explorer.set(photo=3)
    assert explorer.result.label == 1 and "letter.jpg" not in explorer.words.value


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="has 21 MB"):
        square_of(bytes(21_000_000), "big.jpg")


# --------------------------------------------------------------------------------------------------- the pages


@pytest.fixture
def first(functions_of, photos):
    names = functions_of("11_your_own_images")
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 4
    x = torch.randn(40, 12, generator=generator) + 2 * nn.functional.one_hot(labels, 12)
    names |= {"photos": photos[0], "x": x, "y": labels, "decay": 0.01}
    return names


def test_the_page_s_thumbnails_are_those_of_the_room(first, photos):
    images = photos[0].images[:9]
    assert torch.allclose(first["thumbnails"](images), twins.thumbnails(images.permute(0, 3, 1, 2)), atol=1e-5)


def test_the_head_is_at_its_minimum(first):
    head = first["fit_head"](first["x"], first["y"], 0.05)
    head.requires_grad_(True)
    loss = nn.functional.cross_entropy(head(first["x"]), first["y"]) + 0.05 * head.weight.square().sum()
    loss.backward()
    assert head.weight.grad.abs().max() < 1e-3 and head.bias.grad.abs().max() < 1e-3


def test_cross_validation_never_asks_what_was_learned(first):
    """A head that learned a photo names it as it was told; labels of pure chance are then guessed, not known."""
    x, y = torch.eye(40), first["y"]
    assert (first["fit_head"](x, y, 1e-6)(x).argmax(1) == y).all()
    assert (first["crossval"](x, y, 1e-6).argmax(1) == y).float().mean() < 0.5


def test_a_draw_learns_from_so_many_of_each_class(first, monkeypatch):
    seen = []
    real = first["fit_head"]
    first["fit_head"] = lambda x, y, decay: seen.append(torch.bincount(y).tolist()) or real(x, y, decay)
    assert 0 <= first["drawn"](3, 0) <= 1 and seen == [[3, 3, 3, 3]]


def test_a_large_class_counts_no_more_than_a_small_one(first):
    """Always "class 0": right for one class of four, however many of its photos there are."""
    first["y"] = torch.tensor([0] * 31 + [1, 1, 1, 2, 2, 2, 3, 3, 3])
    always = nn.Linear(12, 4)
    nn.init.zeros_(always.weight)
    always.bias.data = torch.tensor([1.0, 0, 0, 0])
    first["fit_head"] = lambda x, y, decay: always
    assert first["drawn"](2, 0) == 0.25


@pytest.fixture(scope="module")
def two_classes_of_ten(tmp_path_factory):
    """Photos as a phone writes them, opaque, of cups and of pens; a head tells the two apart without a mistake."""
    folder, random = tmp_path_factory.mktemp("own") / "my photos", np.random.default_rng(0)
    for name, colour in {"cups": (200, 90, 40), "pens": (30, 80, 190)}.items():
        (folder / name).mkdir(parents=True)
        for number in range(10):
            noise = random.integers(-60, 60, (6, 8, 3)) + np.array(colour)
            picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
            picture.resize((160, 120), Image.Resampling.BICUBIC).save(folder / name / f"{number}.jpg")
    return folder


@pytest.mark.parametrize(
    ("page", "end"), [("11_your_own_images", "What you have learned"), ("11b_what_did_it_look_at", "## Four projects")]
)
def test_the_pages_run_on_a_folder_of_one_s_own(two_classes_of_ten, page, end, monkeypatch, capsys, recwarn):
    """Up to the four projects, which ask about CIFAR-10. Claims about our photos may fail there, and say so."""
    from helpers import plots as core

    monkeypatch.setattr(core, "show", lambda figure, alt: None)
    monkeypatch.setattr("helpers.claim", lambda holds, words: None)
    names, count = {"__name__": page, "OWN": two_classes_of_ten}, 0
    for cell in nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", as_version=4).cells:
        if cell.cell_type == "markdown" and end in cell.source:
            break
        if cell.cell_type == "code":
            source = cell.source.replace('FOLDER = helpers.DATA / "photos"', "FOLDER = OWN")
            count += source != cell.source
            exec(compile(source, page, "exec"), names)
    printed = capsys.readouterr().out
    assert count == 1 and "20 pictures" in printed and "nan%" not in printed
    assert not [str(warning.message) for warning in recwarn if "torch" not in str(warning.filename)]


def test_drawings_show_what_they_are_given(photos):
    images = photos[0]
    figure = plots.draw_folder(images)
    assert [axis.get_ylabel() for axis in figure.axes] == ["bird\n35", "flower\n25", "fruit\n26", "vegetable\n18"]
    assert "no photo was named wrongly" in plots.draw_mistakes(images.images[:0], []).texts[0].get_text()
    figure = plots.draw_mistakes(images.images[:7], [f"photo {i}" for i in range(7)])
    assert [axis.get_title() for axis in figure.axes][:7] == [f"photo {i}" for i in range(7)]
    curve = {1: torch.tensor([0.5, 0.7]), 4: torch.tensor([0.8, 0.9])}
    axis = plots.draw_curve(curve, {1: 0.1, 4: 0.05}, {1: 0.6, 8: 0.9}).axes[0]
    assert axis.lines[0].get_ydata() == pytest.approx([50, 70]) and axis.get_xscale() == "log"
    figure = plots.draw_correlations({"one": [0.1, 0.5, 0.9], "two": [-0.2, 0.0, 0.1]})
    assert list(figure.axes[0].lines[1].get_xdata()) == [0.5, 0.5]
    figure = plots.draw_correlations({"one": [0.1, float("nan"), 0.5], "flat": [float("nan")]})
    assert list(figure.axes[0].lines[0].get_xdata()) == [0.1, 0.5] and figure.axes[0].lines[1].get_xdata()[0] == 0.3
    assert not len(figure.axes[0].lines[2].get_xdata())
    heat = {"Grad-CAM": torch.tensor([[-1.0, 0.0], [0.5, 0.25]]), "covered": torch.eye(2)}
    figure = plots.draw_maps([("a", images.images[0], heat), ("b", images.images[1], heat)])
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["photo", "Grad-CAM", "covered"]
    assert figure.axes[2].images[1].get_clim() == (-1, 1) and "scaled by itself" in figure.get_supxlabel()
    assert not any(spine.get_visible() for axis in figure.axes for spine in axis.spines.values())
    pair = (images.images[0], images.images[1], 0.5)
    figure = plots.draw_pairs({"a title much longer than its first picture": [pair] * 3, "none": []})
    figure.draw_without_rendering()
    gaps = np.diff([axis.get_position().x0 for axis in figure.axes[:3]])
    assert gaps[0] == pytest.approx(gaps[1], abs=0.01)
    # What is stored is cut to what the figure says it holds: the titles must be in it, above the numbers, apart.
    pixels = figure.canvas.get_renderer()
    kept = figure.get_tightbbox(pixels).transformed(figure.dpi_scale_trans)
    titles = [text.get_window_extent(pixels) for text in figure.texts]
    assert [text.get_text() for text in figure.texts] == ["a title much longer than its first picture", "none"]
    number = figure.axes[0].title.get_window_extent(pixels)
    assert all(kept.y0 <= title.y0 and title.y1 <= kept.y1 + 1 for title in titles)
    assert titles[0].y0 >= number.y1 and titles[1].y1 < figure.axes[0].get_window_extent(pixels).y0
    steps = np.linspace(0, 1, 5)
    figure = plots.draw_costs({"a long name of a project here": (steps, steps + 1, 0.25)})
    assert figure.axes[0].lines[2].get_xdata()[0] == 0.25
