"""The committed channel statistics."""

import pytest

from helpers import __main__ as command
from helpers import data
from helpers.results import RESULTS

pytestmark = pytest.mark.usefixtures("one_thread")


def test_stats_records_both_ways_of_computing(results, capsys, rows_of):
    assert command.main(["stats"]) == 0
    rows = rows_of(results / "channel_stats.csv")
    assert [row["statistic"] for row in rows] == ["mean", "per_image_std", "std"]
    assert all(row["images"] == "5000" and row["source"].startswith("CIFAR-10 sample") for row in rows)
    assert float(rows[2]["red"]) == pytest.approx(0.248, abs=0.001)
    assert "CIFAR-10 sample: 5,000 + 2,000 of 60,000 images: std 0.248" in capsys.readouterr().out


def test_the_committed_statistics_are_those_of_the_sample(rows_of):
    rows = rows_of(RESULTS / "channel_stats.csv")
    stats = data.channel_stats(data.load_cifar10()[0])._asdict()
    mine = {row["statistic"]: row for row in rows if row["images"] == "5000"}
    for name, values in stats.items():
        assert [float(mine[name][colour]) for colour in ("red", "green", "blue")] == pytest.approx(values, abs=1e-6)
    full = {row["statistic"]: row for row in rows if row["images"] == "50000"}
    for name, values in (("mean", data.CIFAR10_MEAN), ("std", data.CIFAR10_STD)):
        assert [float(full[name][colour]) for colour in ("red", "green", "blue")] == pytest.approx(values, abs=5e-5)
