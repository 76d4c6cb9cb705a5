"""Equal MACs, trained alike: the tables and the figure, against rows whose numbers are known."""

import re
from statistics import mean

import matplotlib.pyplot as plt
import nbformat
import pytest
from matplotlib.colors import to_hex

from helpers import ROOT
from helpers.lessons.lesson_09 import plots, small, worth
from helpers.plots import COLOURS

VALUES = {"A": [80.0, 82.0, 84.0], "B": [85.0, 86.0, 87.0]}  # squares 8 + 2 over 4 degrees: a deviation of 1.581
HALF = 2.776 * 2.5**0.5 / 3**0.5


def known(*, name, seed, share):
    return {"network": name, "seed": seed, "accuracy": share}


@pytest.fixture
def stored(monkeypatch):
    names = list(small.NETWORKS)
    trained = [known(name=name, seed=seed, share=0.8 + 0.01 * place + 0.001 * seed)
               for seed in (2, 0, 1) for place, name in reversed(list(enumerate(names)))]  # fmt: skip
    tried = [{"network": name, "lr": lr, "weight_decay": decay,
              "validation_accuracy": 0.5 + (0.1 if (lr, decay) == (0.1, 5e-5) and name != names[0] else lr / 10)}
             for name in names for decay in (5e-4, 5e-5) for lr in (0.05, 0.1, 0.2)]  # fmt: skip
    files = {"blocks.csv": trained, "blocks_pilot.csv": tried}
    monkeypatch.setattr(worth, "read_results", files.__getitem__)


def test_rows_come_by_network_and_seed(stored):
    rows = worth.trained()
    assert list(rows) == list(small.NETWORKS)
    for place, (name, mine) in enumerate(rows.items()):
        assert [(row["network"], row["seed"]) for row in mine] == [(name, seed) for seed in range(3)]
        assert worth.accuracies(rows)[worth.label(name)] == pytest.approx([80 + place + 0.1 * s for s in range(3)])


def test_the_pilot_s_best_pair_is_marked_for_each_network(stored):
    decay, rate, first, *others = worth.tried().splitlines()
    assert decay.split() == ["decay", *3 * ["0.0005"], *3 * ["5e-05"]]
    assert rate.split() == ["rate", *2 * ["0.05", "0.1", "0.2"]]
    assert first.split() == ["MobileNetV2", "(zoo)", "50.5", "51.0", "52.0*", "50.5", "51.0", "52.0"]
    assert len(others) == 4
    for line in others:
        assert line.split()[-6:] == ["50.5", "51.0", "52.0", "50.5", "60.0*", "52.0"]
    ends = [line.index("50.5") + 4 for line in (first, *others)]
    assert ends == 5 * [decay.index("0.0005") + 6], "numbers stand under their pair"


def test_a_line_has_each_training_the_mean_and_the_difference_with_its_interval():
    head, first, second = worth.table(VALUES).splitlines()
    assert head.split() == ["each", "training,", "%", "mean", "±", "against", "A"]
    assert first.split() == ["A", "80.0", "82.0", "84.0", "82.0", f"{HALF:.1f}"]
    apart = HALF * 2**0.5
    assert second.split() == ["B", "85.0", "86.0", "87.0", "86.0", f"{HALF:.1f}", "+4.0", f"({4 - apart:+.1f}", "to",
                              f"{4 + apart:+.1f})"]  # fmt: skip
    assert first.index("82.0", first.index("84.0")) + 4 == head.index("mean") + 4 == second.rindex("86.0") + 4


def test_the_figure_puts_dots_mean_and_interval_on_the_network_s_row():
    figure, alt = plots.worth(VALUES)
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["A", "B"]
    for place, (name, each) in enumerate(VALUES.items()):
        middle, (bar, mean, dots) = sum(each) / 3, axis.lines[3 * place : 3 * place + 3]
        assert list(bar.get_xdata()) == pytest.approx([middle - HALF, middle + HALF], abs=2e-3)
        assert list(bar.get_ydata()) == [place, place] and to_hex(bar.get_color()) == COLOURS["orange"].lower()
        assert (list(mean.get_xdata()), list(mean.get_ydata())) == ([middle], [place])
        assert list(dots.get_xdata()) == each and dots.get_marker() == "o" and dots.get_linestyle() == "None"
        assert all(abs(y - place) < 0.4 for y in dots.get_ydata())
        assert f"{name}: mean {middle:.1f} ± {HALF:.1f}, {each[0]:.1f} to {each[-1]:.1f}" in alt
    assert axis.yaxis_inverted() and axis.get_ylim() == (1.5, -0.6)
    told = [text.get_text() for text in axis.get_legend().get_texts()]
    assert told == ["95 % of the mean, over trainings", "mean", "a training"]
    plt.close(figure)


def test_squeeze_and_excite_is_written_short():
    assert [worth.label(name) for name in small.NETWORKS] == [
        "MobileNetV2 (zoo)", "ShuffleNetV2", "EfficientNet with SE", "EfficientNet without SE", "ResNet-20",
    ]  # fmt: skip


def test_controls_stand_beside_the_seeds_they_repeat(monkeypatch):
    """Three seeds by the chosen pair, two by the other; measured anew is shown for the chosen pair alone."""
    lone, _, name, *_ = small.NETWORKS
    own = [{"network": name, "seed": seed, "lr": 0.2, "weight_decay": 5e-05, "validation_accuracy": 0.7 + seed / 100}
           for seed in range(3)]  # fmt: skip
    known = dict.fromkeys(small.NETWORKS, ()) | {name: own, lone: [own[0] | {"network": lone}]}
    row = {"network": name, "lr": 0.2, "total": 5000, "only_anew": 0, "only_before": 0}
    rows = [
        row | {"seed": 2, "weight_decay": 5e-4, "accuracy": 0.765},
        row | {"seed": 1, "weight_decay": 5e-4, "accuracy": 0.755, "only_anew": 9},
        row | {"seed": 2, "weight_decay": 5e-05, "accuracy": 0.72, "only_anew": 110, "only_before": 60},
        row | {"network": next(iter(small.OTHER_WEIGHTS)), "seed": 0, "weight_decay": 5e-05, "accuracy": 0.733},
    ]
    monkeypatch.setattr(worth, "read_results", {"blocks_control.csv": rows}.__getitem__)
    mine, other, plain, weights = worth.controls(known).splitlines()
    assert mine == f"{'EfficientNet with SE':24}{'rate 0.2, decay 5e-05':24}71.0 72.0"
    assert other == f"{'':24}{'rate 0.2, decay 0.0005':24}75.5 76.5"
    assert plain == f"{'MobileNetV2 (zoo)':24}{'rate 0.2, decay 5e-05':24}70.0"
    assert weights == f"{'  other first weights':24}{'rate 0.2, decay 5e-05':24}73.3"
    ((key, pair),) = worth.anew(known).items()
    assert key == ("EfficientNet with SE", 2) and (pair.only_first, pair.only_second, pair.total) == (110, 60, 5000)
    assert pair.difference == 0.01


def test_the_prose_tells_the_rows():
    points = worth.accuracies(worth.trained())
    assert [len(each) for each in points.values()] == [3] * 5
    v2, shuffle, with_se, without_se, resnet = (mean(each) for each in points.values())
    page = nbformat.read(ROOT / "notebooks" / "09b_on_equal_terms.ipynb", 4)
    prose = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    best = (shuffle, resnet, without_se)
    assert f"end within {max(best) - min(best):.1f} points of each other, four to five above MobileNetV2" in prose
    assert round(min(best) - v2) == 4 and round(max(best) - v2) == 5 and with_se < min(best)
    lost = without_se - with_se
    assert f"With SE it is {lost:.1f} points less" in prose
    told = worth.apart(points, "EfficientNet with SE", "EfficientNet without SE")
    low, high = re.fullmatch(r".*\(([-+.\d]+) to ([-+.\d]+)\)", told.splitlines()[1]).groups()
    assert "by its own three differences the interval holds 0" in prose and float(low) < 0 < float(high)
    rows = worth.trained()
    assert rows["MobileNetV2 (zoo)"][0]["parameters"] / rows["ResNet-20"][0]["parameters"] == pytest.approx(
        1 / 0.07, abs=1
    )
    assert [rows[name][0]["lr"] for name in ("ShuffleNetV2", "ResNet-20")] == [0.4, 0.1], "the edges of the grid"
    epochs = {row["epochs"] for each in rows.values() for row in each}
    assert epochs == {4} and "four passes over the 45,000 images" in prose


def test_networks_are_apart_by_all_deviations_and_by_their_own_differences():
    first, second = worth.apart(VALUES, "B", "A").splitlines()
    half = HALF * 2**0.5  # of a difference
    assert first == f"B against A: +4.0 ({4 - half:+.1f} to {4 + half:+.1f})"
    own = 4.303 * 1 / 3**0.5  # differences 5, 4, 3: a deviation of 1, two degrees of freedom
    assert second == f"by its own differences +5.0 +4.0 +3.0: +4.0 ({4 - own:+.1f} to {4 + own:+.1f})"


def test_passes_are_means_over_seeds(monkeypatch):
    rows = [{"network": name, "seed": seed, "epoch": epoch, "validation_accuracy": 0.5 + seed / 100 + epoch / 10}
            for name in small.NETWORKS for epoch in (2, 1) for seed in (0, 1)]  # fmt: skip
    monkeypatch.setattr(worth, "read_results", {"blocks_curves.csv": rows}.__getitem__)
    for after in worth.passes().values():
        assert after == pytest.approx([60.5, 70.5])
    assert list(worth.passes()) == [worth.label(name) for name in small.NETWORKS]


def test_the_prose_tells_the_controls():
    known = worth.trained()
    page = nbformat.read(ROOT / "notebooks" / "09b_on_equal_terms.ipynb", 4)
    prose = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    own, other, zoo, weights = (float(line.split()[-1]) for line in worth.controls(known).splitlines())
    assert f"by the other's decay SE ends at {other} %" in prose and other - own < 2
    assert f"from other first weights MobileNetV2 at {weights}, not higher" in prose and weights < zoo
    assert all(abs(change.difference) < 0.003 for change in worth.anew(known).values())
