"""Lesson 02's own definitions and claims, taken out of its two pages and held to the library or counted another way."""

import ast
import csv

import nbformat
import numpy as np
import pytest
import torch

from helpers import DATA, ROOT
from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.lessons.lesson_02 import augmentation_explorer, explorer_augmentation
from helpers.results import read_results

PAGES = [ROOT / "notebooks" / name for name in ("02_loading_data.ipynb", "02b_augmentation_and_batches.ipynb")]
pytestmark = pytest.mark.usefixtures("one_thread")


def code_cells(page) -> list[str]:
    return [cell.source for cell in nbformat.read(page, as_version=4).cells if cell.cell_type == "code"]


def definitions(page, *constants: str) -> dict:
    """A page's imports, functions and named constants, and nothing else that computes."""
    wanted = []
    for node in ast.parse("\n".join(code_cells(page))).body:
        constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in constants
        if constant or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef)):
            wanted.append(node)
    names: dict = {"__name__": "lesson_02"}
    exec(compile(ast.Module(wanted, type_ignores=[]), page.name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def train() -> ImageSet:
    return load_cifar10()[0]


# ------------------------------------------------------------------------------------------------ the first page


def test_the_variance_of_all_pixels_has_three_parts(train):
    """copied² + Var(own deviations) + Var(own means), on unequal made-up images and with NumPy's own variances."""
    made = np.random.default_rng(0).gamma(2.0, 1.0, (7, 50)) * np.arange(1, 8)[:, None]
    real = train.images[::50].flatten(1, 2)[..., 2].numpy() / 255
    for pixels in (made, real):
        own = pixels.std(axis=1)
        assert own.mean() ** 2 + own.var() + pixels.mean(axis=1).var() == pytest.approx(pixels.var())
        assert own.var() > 0.01 * pixels.var(), "the middle part would not be seen"


def test_only_n_minus_1_gives_the_copied_digits():
    with open(DATA / "results" / "channel_stats.csv", encoding="utf-8") as file:
        (row,) = [r for r in csv.DictReader(file) if r["images"] == "50000" and r["statistic"] == "per_image_std"]
    stored = [float(row[name]) for name in ("red", "green", "blue")]
    assert [round(value, 4) for value in stored] == [0.2023, 0.1994, 0.2010]
    assert [round(value * (1023 / 1024) ** 0.5, 4) for value in stored] == [0.2022, 0.1993, 0.2009]


def test_fingerprints_count_images_on_both_sides():
    shared = definitions(PAGES[0])["shared"]
    images = torch.randint(0, 256, (20, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert shared(images[:10], images[10:]) == 0 and shared(images[:10], images[7:]) == 3
    almost = images[:10].clone()
    almost[:, 0, 0, 0] ^= 1  # the last bit of one value of each
    assert shared(almost, images[:10]) == 0


def test_pattern_gives_correlations_and_the_twins_that_the_page_names(train):
    pattern, test = definitions(PAGES[0])["pattern"], load_cifar10()[1]
    few = train.images[:40]
    wanted = np.corrcoef(few.flatten(1).numpy().astype(float))
    assert np.abs((pattern(few) @ pattern(few).T).numpy() - wanted).max() < 1e-5
    likeness, twin = (pattern(test.images) @ pattern(train.images).T).max(1)
    first, fifth = likeness.argsort(descending=True)[[0, 4]].tolist()
    assert (first, int(twin[first])) == (1489, 3838) and train.classes[test.labels[first]] == "horse"
    assert (fifth, int(twin[fifth])) == (159, 214) and train.classes[test.labels[fifth]] == "airplane"
    assert torch.equal(test.labels[[first, fifth]], train.labels[twin[[first, fifth]]])


# ----------------------------------------------------------------------------------------------- the second page


@pytest.mark.parametrize("batch_size", [7, 50])
def test_the_pages_loader_is_batches(train, batch_size):
    page = definitions(PAGES[1], "mean", "std")
    images, helper = train[::100], Batches(train[::100], batch_size, shuffle=True)
    for epoch in range(3):  # Batches counts its epochs itself
        ours = list(page["batches"](images, batch_size, epoch))
        for (x, y), (x_helper, y_helper) in zip(ours, helper, strict=True):
            assert torch.equal(y, y_helper) and torch.allclose(x, x_helper, atol=1e-5)
        assert len(page["one_pass"](ours)[1]) == len(images)


def test_the_stored_loss_of_the_zoo_includes_none():
    (row,) = [r for r in read_results("mistakes.csv") if r["variant"] == "zoo, width 0.25, crop and flip"]
    assert row["number"] == 1 and row["images_low"] < row["difference"] < 0 < row["images_high"]


def test_the_explorer_does_what_its_controls_say():
    explorer, other = augmentation_explorer(), augmentation_explorer()
    before, shown = explorer.result.before, other.png
    off = {"crop": 0, "flip": 0.0, "brightness": 0.0, "contrast": 0.0, "cutout": 0}
    assert explorer.set(**off).result.untouched == len(before) == 9
    assert torch.equal(explorer.set(flip=1.0).result.after, before.flip(2))
    covered = (explorer.set(flip=0.0, cutout=8).result.after != before).any(-1).sum((1, 2))
    assert covered.min() > 50 and covered.max() <= 8 * 8
    assert (explorer.set(cutout=0, crop=10).result.after == 0).all(-1).any(1).any()  # a black row or more
    assert other.values["crop"] == 4 and other.png == shown, "one explorer turned another"


def test_the_explorer_draws_before_above_after():
    explorer = augmentation_explorer().set(crop=0, flip=1.0)
    seen = explorer.result
    (axes,) = explorer.figure().axes
    drawn = torch.as_tensor(axes.images[0].get_array())
    assert torch.equal(drawn[:32, :32], seen.before[0]) and not torch.equal(seen.before[0], seen.after[0])
    assert torch.equal(drawn[-32 - explorer_augmentation.GAP :][:32, :32], seen.after[0])
    assert [words.get_text() for words in axes.texts] == ["before", "after"]
    first, second = (words.get_position()[1] for words in axes.texts)
    assert 0 < first < 32 and 35 < second < 67, "each word stands beside its row"


# ----------------------------------------------------------------------------------------------------- both pages


def names_of(cell: str) -> tuple[set[str], set[str]]:
    """(names that a cell gives a value, names that it reads and has not given one before, line by line)."""
    given, read = set(), set()
    for statement in ast.parse(cell).body:
        inner = {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
        scopes = (ast.comprehension, ast.FunctionDef, ast.ClassDef)
        for scope in [node for node in ast.walk(statement) if isinstance(node, scopes)]:
            inside = ast.walk(scope.target if isinstance(scope, ast.comprehension) else scope)
            inner |= {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id not in inner]
        here = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
        read |= {node.id for node in nodes if isinstance(node.ctx, ast.Load)} - given - here
        given |= here | ({statement.name} if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else set())
    return given, read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_cell_overwrites_what_another_needs(page):
    """So that cells can be run twice and in any sensible order: what a cell takes from others has one source."""
    cells = [names_of(cell) for cell in code_cells(page)]
    every = [name for given, _ in cells for name in given]
    for given, read in cells:
        twice = {name for name in read if every.count(name) > 1}
        assert not twice, f"{twice} come from more than one cell"
        assert not given & read, f"{given & read}: read, then overwritten"


def test_the_check_of_overwritten_names_notices():
    given, read = names_of("labels = 3\nfor x in rows:\n    print(x, labels, [y for y in z])\nnew = f(new)")
    assert given == {"labels", "x", "new"} and {"rows", "z", "f"} <= read and "labels" not in read
    assert "row" in names_of("print(row)\nrow = 2")[1]
