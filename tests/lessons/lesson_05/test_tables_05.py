"""The tables of lesson 05, against rows whose numbers are known."""

from types import SimpleNamespace

import pytest

from helpers.lessons.lesson_05 import tables


def row(seed, correct, half=0.01, **rest):
    share = correct / 1000
    known = {"width": 0.25, "seed": seed, "correct": correct, "total": 1000, "accuracy": share}
    return known | {"low": share - half, "high": share + half, "parameters": 1234567, "macs": 4_747_968} | rest


def test_a_network_s_line_has_its_cost_its_widest_interval_each_training_and_their_mean():
    trained = {(0.25, 32): [row(0, 700), row(1, 720, 0.012)], (0.5, 16): [row(0, 650)]}
    _, line, other = tables.zoo(trained).splitlines()
    # Student's t with one degree of freedom, 12.706, times a deviation of 1.414 points, over the root of 2 or of 1
    assert line.split() == ["0.25", "32", "1,234,567", "4,747,968", "1.2", "70.0", "72.0", "71.0", "12.7"]
    assert other.split()[:2] == ["0.5", "16"] and other.split()[-3:] == ["65.0", "65.0", "18.0"]


def test_trainings_of_one_network_with_an_interval_over_them():
    first, *_, apart, mean = tables.seeds([row(0, 700), row(1, 720), row(2, 710)]).splitlines()
    assert first == "α = 0.25, seed 0: 700 of 1,000 (69.0%–71.0%)"
    assert apart == "2.0 points from the worst to the best"
    # Student's t, two degrees of freedom: 4.303 deviations of 1 point over the root of 3
    assert mean == "mean 71.0 %, 95 % interval over trainings 68.5 to 73.5"


def test_networks_of_equal_macs():
    network = SimpleNamespace(width=0.5, resolution=160, macs=50_184_000, top1=61.0)
    others = [SimpleNamespace(width=0.5, resolution=224, macs=97e6, top1=65.4)]
    trained = {pair: [row(0, 700 + n), row(1, 712)] for budget in tables.EQUAL_OURS for n, pair in enumerate(budget)}
    first, *ours = tables.equal_macs([network, *others], trained).splitlines()
    assert first == "ImageNet  α  0.5 at 160 pixels:  50.2M MACs  61.0 %"
    ours_are = [["0.25", "24"], ["0.5", "16"], ["0.35", "32"], ["0.5", "24"], ["0.75", "16"]]
    assert [line.split()[2:5:2] for line in ours] == ours_are
    assert ours[1].endswith("4.7M MACs  70.1%, 71.2%")


def test_one_training_has_no_interval_over_trainings():
    with pytest.raises(ValueError):
        tables.seeds([row(0, 700)])


def test_the_end_of_two_kinds_and_the_leads_of_all_pairs():
    ended = {"shallow": [row(0, 700), row(1, 690)], "narrow": [row(0, 705), row(2, 720)]}
    *lines, leads = tables.to_the_end(ended).splitlines()
    assert lines[1] == "shallow, seed 1: 69.0% (68.0%–70.0%)" and lines[3].startswith("narrow, seed 2: 72.0%")
    assert len(lines) == 4 and leads == "narrow leads by 0.5 to 3.0 points, pair by pair"
