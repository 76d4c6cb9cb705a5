"""The study of damaged images: what the damage does to pixels, and that the study goes on where it stopped."""

import argparse

import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.data import ImageSet, load_cifar10
from helpers.lessons.lesson_08 import robustness
from helpers.lessons.lesson_08.robustness import DAMAGE, damage, paired_columns, zoo_widths
from helpers.runs import studies

TEST = load_cifar10()[1][::100]


def grey(value: int, side: int = 32) -> ImageSet:
    return ImageSet(
        torch.full((3, side, side, 3), value, dtype=torch.uint8), torch.tensor([0, 1, 2]), tuple("abc"), "grey"
    )


def change(kind: str, strength: float) -> float:
    """Mean absolute difference of a pixel, in steps of 0…255."""
    return (damage(TEST, kind, strength).images.float() - TEST.images.float()).abs().mean().item()


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind != "none"])
def test_stronger_means_farther_from_the_original(kind):
    changes = [change(kind, strength) for strength in DAMAGE[kind][1]]
    assert changes == sorted(changes) and changes[0] > 0.5 and len(set(changes)) == len(changes)


def test_none_is_none_and_labels_and_source_stay_in_sight():
    assert torch.equal(damage(TEST, "none", 0).images, TEST.images)
    hurt = damage(TEST, "jpeg", 20)
    assert torch.equal(hurt.labels, TEST.labels) and hurt.source == f"{TEST.source}, jpeg 20"
    assert hurt.images.dtype == torch.uint8 and hurt.images.shape == TEST.images.shape


def test_brightness_by_hand():
    assert damage(grey(100), "darker", 0.3).images.unique().tolist() == [30]
    assert damage(grey(100), "brighter", 2.0).images.unique().tolist() == [200]
    assert damage(grey(100), "brighter", 3.0).images.unique().tolist() == [255], "cut at white"


def test_noise_has_its_deviation_and_its_seed():
    noisy = damage(grey(128, side=64), "noise", 20).images.float()
    assert noisy.std().item() == pytest.approx(20, rel=0.03) and noisy.mean().item() == pytest.approx(128, abs=1)
    assert torch.equal(damage(TEST, "noise", 20).images, damage(TEST, "noise", 20).images)
    assert not torch.equal(damage(TEST, "noise", 20).images, damage(TEST, "noise", 20, seed=1).images)


def test_blur_spreads_a_point_as_a_gaussian_does_and_leaves_flat_images_alone():
    assert damage(grey(77), "blur", 1.0).images.unique().tolist() == [77]
    point = grey(0)
    point.images[:, 16, 16] = 255
    spread = damage(point, "blur", 1.0).images[0, 16, 16:20, 0].double() / 255
    assert spread.tolist() == pytest.approx([0.1592, 0.0965, 0.0215, 0.0018], abs=0.003), "1/2π · exp(−x²/2)"


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="no damage 'fog'; there are none, blur"):
        damage(TEST, "fog", 1)
    for kind, strength in (("blur", 0), ("noise", -1), ("jpeg", 0.5), ("jpeg", 100)):
        with pytest.raises(ValueError, match=f"{kind} cannot have strength {strength}: it is the"):
            damage(TEST, kind, strength)


def test_the_widths_that_are_there():
    widths = zoo_widths()
    assert 0.25 in widths and widths == sorted(widths)


class Brightness(nn.Module):
    """A network that only looks at how bright an image is."""

    def forward(self, x):
        x = x.mean((1, 2, 3))
        return torch.stack([x * factor for factor in range(-5, 5)], 1)


def measured(lines: list[str]) -> list[str]:
    """The lines about a row that was made; the others tell of rows that are there."""
    return [line for line in lines if line.startswith("width ")]


def test_a_study_that_was_interrupted_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(robustness, "load_cifar10", lambda which: (None, TEST))
    asked = []
    monkeypatch.setattr(robustness, "load_zoo", lambda width: asked.append(width) or Brightness())
    monkeypatch.setattr(robustness, "WEIGHTS", tmp_path)
    for width in ("0.25", "0.5"):
        (tmp_path / f"zoo_mobilenet_v2_{width}.safetensors").write_text("", encoding="utf-8")
        (tmp_path / f"zoo_mobilenet_v2_{width}.safetensors.sha256").write_text(f"{width:0<20}", encoding="utf-8")
    parser, lines = argparse.ArgumentParser(), []
    robustness.arguments(parser)
    robustness.run(parser.parse_args(["--limit", "5"]), lines.append)
    assert not list(tmp_path.glob("*.csv")), "a trial records nothing"
    lines.clear()
    robustness.run(parser.parse_args(["--widths", "0.25", "--kinds", "none", "jpeg"]), lines.append)
    assert len(measured(lines)) == 1 + 4 and {row["kind"] for row in runs.read_results("robustness.csv")} == {
        "none",
        "jpeg",
    }
    robustness.run(parser.parse_args(["--widths", "0.25"]), lines.append)
    lines.clear()
    robustness.run(parser.parse_args([]), lines.append)
    conditions = sum(len(strengths) for _, strengths in DAMAGE.values())
    assert len(measured(lines)) == conditions + 1, "only the new width, and the pair"
    assert not any("width 0.25:" in line for line in lines)
    suffer = runs.read_results("robustness_pairs.csv")
    assert len(suffer) == 5 * 5 and {(row["first"], row["second"]) for row in suffer} == {(0.5, 0.25)}
    rows, (pair,) = runs.read_results("robustness.csv"), runs.read_results("zoo_pairs.csv")
    assert len(rows) == 2 * conditions and {row["width"] for row in rows} == {0.25, 0.5}
    for row in rows:
        undamaged = next(r for r in rows if r["kind"] == "none" and r["width"] == row["width"])
        assert row["change"] == pytest.approx(row["accuracy"] - undamaged["accuracy"], abs=2e-4)
        assert row["low"] < row["accuracy"] < row["high"] and row["change_low"] < row["change"] < row["change_high"]
    assert (pair["first"], pair["second"], pair["total"], pair["difference"]) == (0.25, 0.5, len(TEST), 0)
    lines.clear()
    robustness.run(parser.parse_args([]), lines.append)
    assert measured(lines) == []
    (tmp_path / "zoo_mobilenet_v2_0.5.safetensors.sha256").write_text("other weights", encoding="utf-8")
    before = [(tmp_path / name).read_bytes() for name in ("robustness.csv", "zoo_pairs.csv")]
    with pytest.raises(ValueError, match=r"with weights 0.5000000000, not other weight: only --overwrite replaces it"):
        robustness.run(parser.parse_args([]), lines.append)
    assert before == [(tmp_path / name).read_bytes() for name in ("robustness.csv", "zoo_pairs.csv")]
    robustness.run(parser.parse_args(["--widths", "0.5", "--overwrite"]), lines.append)
    assert len(measured(lines)) == conditions, "new weights are measured anew"


def test_difference_of_changes_by_hand_and_against_its_own_formula():
    """Change by change: the wide one loses 30 of 100, the narrow one 10; the interval is that of a paired mean."""
    wide = torch.ones(100, 3, dtype=torch.bool)
    wide[:30, 1], wide[:40, 2] = False, False
    narrow = torch.ones(100, 3, dtype=torch.bool)
    narrow[50:, 0], narrow[45:, 1], narrow[30:, 2] = False, False, False
    row = {name: float(text) for name, text in robustness.difference_of_changes(wide[:, :2], narrow[:, :2]).items()}
    assert row["change"] == pytest.approx(-0.30 + 0.05) and row["kept"] == pytest.approx(0.7 - 0.45 / 0.5)
    each = wide[:, 1].double() - wide[:, 0].double() - narrow[:, 1].double() + narrow[:, 0].double()
    half = 1.96 * each.std().item() / 10
    assert (row["change_low"], row["change_high"]) == pytest.approx((-0.25 - half, -0.25 + half), abs=0.012)
    assert row["p_value"] < 1e-4
    both = robustness.difference_of_changes(wide, narrow)
    assert float(both["change"]) == pytest.approx((-0.30 + 0.05 - 0.40 + 0.20) / 2)
    same = robustness.difference_of_changes(wide, wide)
    assert float(same["change"]) == float(same["change_low"]) == float(same["change_high"]) == 0


def test_answers_that_go_together_leave_less_open_than_answers_that_do_not():
    """Paired: two networks wrong on the same images differ by nothing; wrong on others, by as much, unsure."""
    clean = torch.ones(200, 1, dtype=torch.bool)
    hurt = (torch.arange(200) % 2 == 0)[:, None]
    same = robustness.difference_of_changes(torch.cat([clean, hurt], 1), torch.cat([clean, hurt], 1))
    other = robustness.difference_of_changes(torch.cat([clean, hurt], 1), torch.cat([clean, ~hurt], 1))
    assert float(same["change"]) == float(other["change"]) == 0
    assert float(same["change_high"]) == 0 < 0.1 < float(other["change_high"])


def test_a_row_a_strength_and_one_for_their_mean(monkeypatch):
    strengths = DAMAGE["noise"][1]
    right = {(width, "none", 0): torch.ones(8).bool() for width in (1.0, 0.25)}
    for step, one in enumerate(strengths, 1):
        right[1.0, "noise", one] = torch.arange(8) >= 2 * step
        right[0.25, "noise", one] = torch.arange(8) >= step
    run = studies.Run(argparse.Namespace(limit=None), lambda _: None)
    run.world = argparse.Namespace(
        right=lambda width, kind="none", strength=0: (right[width, kind, strength], ""), test=TEST
    )
    rows = robustness.measure_suffering({"first": "1", "second": "0.25", "kind": "noise"}, run)
    assert [row["strength"] for row in rows] == [*(f"{one:g}" for one in strengths), "mean"]
    assert [float(row["change"]) for row in rows] == pytest.approx([-1 / 8, -2 / 8, -3 / 8, -4 / 8, -2.5 / 8])


def test_each_network_is_asked_once_about_each_damage(monkeypatch):
    asked = []
    monkeypatch.setattr(robustness, "load_zoo", lambda width: Brightness())
    monkeypatch.setattr(robustness, "predict", lambda model, batches: asked.append(1) or torch.zeros(len(TEST), 10))
    answers = robustness.Answers(TEST, "cpu")
    for _ in range(3):
        answers.right(1.0), answers.right(1.0, "noise", 5), answers.right(0.5, "noise", 5)
    assert len(asked) == 3


def test_paired_columns():
    from helpers.evaluation import mcnemar

    columns = paired_columns(mcnemar(torch.tensor([True, True, False]), torch.tensor([False, True, False])))
    assert (columns["only_first"], columns["only_second"], columns["total"]) == (1, 0, 3)
    assert columns["difference"] == "0.33333" and float(columns["low"]) < 0 < float(columns["high"])


def test_a_pair_is_the_first_named_against_the_second(monkeypatch):
    right = {0.25: [True, True, True, False], 0.5: [True, False, False, False]}
    run = studies.Run(argparse.Namespace(limit=None), lambda _: None)
    run.world = argparse.Namespace(right=lambda width: (torch.tensor(right[width]), ""), test=TEST)
    row = robustness.measure_pair({"first": "0.25", "second": "0.5"}, run)
    assert (row["difference"], row["only_first"], row["only_second"]) == ("0.50000", 2, 0)
