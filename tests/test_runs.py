"""The commands that make the committed files: records, the sample, the zoo, the notebooks' outputs, error messages."""

import csv
import hashlib
import os

import nbformat
import pytest
import torch

from helpers import __main__ as command
from helpers import data, make, runs
from helpers.data import CLASSES, ImageSet, read_sheets, write_sheet
from helpers.training import History

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def rows_of(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# -------------------------------------------------------------------------------- records


def test_record_adds_and_replaces_by_key(results):
    runs.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.5"}], ("width", "seed"))
    runs.record("t.csv", [{"width": 0.25, "seed": 0, "accuracy": "0.4"}], ("width", "seed"))
    runs.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.6"}], ("width", "seed"))
    path = runs.record("t.csv", [{"width": 1.0, "seed": 1, "accuracy": "0.7"}], ("width", "seed"))
    assert [(row["width"], row["seed"], row["accuracy"]) for row in rows_of(path)] == [
        ("0.25", "0", "0.4"),
        ("1.0", "0", "0.6"),
        ("1.0", "1", "0.7"),
    ]
    assert b"\r" not in path.read_bytes()


def test_record_sorts_numbers_as_numbers(results):
    path = runs.record("t.csv", [{"epoch": number} for number in (10, 9, 100, 1)], ("epoch",))
    assert [row["epoch"] for row in rows_of(path)] == ["1", "9", "10", "100"]


def test_record_keeps_one_row_a_key_and_takes_new_columns(results):
    runs.record("t.csv", [{"name": "a", "x": 1}, {"name": "a", "x": 2}], ("name",))
    path = runs.record("t.csv", [{"name": "b", "x": 3, "y": "a, b"}], ("name",))
    assert rows_of(path) == [{"name": "a", "x": "2", "y": ""}, {"name": "b", "x": "3", "y": "a, b"}]


def test_results_come_back_as_numbers_and_a_missing_file_is_explained(results):
    rows = [
        {"width": 0.5, "seed": 0, "command": "a, b", "macs": 12, "digits": "7"},
        {"width": 1, "seed": 1, "command": "c", "macs": 13, "digits": "x"},
    ]
    path = runs.record("t.csv", rows, ("width",))
    assert "\n1,1,c" in path.read_text()
    found = runs.read_results("t.csv")
    assert found == rows
    assert [[type(value) for value in row.values()] for row in found] == [[float, int, str, int, str]] * 2
    with pytest.raises(FileNotFoundError, match=r"none.csv is missing from data/results/: restore it"):
        runs.read_results("none.csv")


def test_record_leaves_the_old_file_when_it_fails(results, monkeypatch):
    path = runs.record("t.csv", [{"name": "a", "x": 1}], ("name",))
    before = path.read_bytes()

    def rows(self, rows):
        self.writerow({"name": "half", "x": "a row"})
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv.DictWriter, "writerows", rows)
    with pytest.raises(OSError, match="No space left"):
        runs.record("t.csv", [{"name": "b", "x": 2}], ("name",))
    assert path.read_bytes() == before


def test_provenance_says_what_made_a_row(monkeypatch):
    monkeypatch.setattr(runs.sys, "argv", ["/somewhere/helpers/__main__.py", "train", "--width", "0.5"])
    made = runs.provenance(12.6)
    assert made["command"] == "python -m helpers train --width 0.5" and made["seconds"] == "13"
    assert made["torch"] == torch.__version__.split("+")[0] and made["threads"] == str(torch.get_num_threads())
    assert "/" not in made["command"] and all(made.values())


def test_curve_has_a_row_an_epoch():
    rows = runs.curve(History(lr=[0.1, 0.05], loss=[2.34567, 1.0], seconds=[1.0, 2.0]))
    assert rows[0] == {"epoch": 1, "lr": "0.1", "loss": "2.346", "seconds": "1"} and len(rows) == 2


# -------------------------------------------------------------------------------- the sample


@pytest.fixture
def sheets(tmp_path):
    """Contact sheets with 8 training and 6 test images a class."""
    for part, count in (("train", 8), ("test", 6)):
        (tmp_path / "all" / part).mkdir(parents=True)
        for label, name in enumerate(CLASSES):
            generator = torch.Generator().manual_seed(label + 10 * count)
            pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
            write_sheet(pixels, tmp_path / "all" / part / f"{name}.png", 2)
    return tmp_path / "all"


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "SAMPLE", tmp_path / "sample")
    monkeypatch.setattr(make, "PER_CLASS", {"train": (4, 2), "test": (3, 3)})
    return tmp_path / "sample"


def test_write_sample_takes_the_first_of_each_class(sheets, sample, capsys):
    assert command.main(["sample", "--from", str(sheets)]) == 0
    full, cut = read_sheets(sheets, ""), read_sheets(sample, "")
    for whole, part, count in zip(full, cut, (4, 3), strict=True):
        assert torch.bincount(part.labels).tolist() == [count] * 10
        for label in range(10):
            first = whole.images[whole.labels == label][:count]
            assert torch.equal(part.images[part.labels == label], first)
    manifest = (sample / "SHA256SUMS").read_text().splitlines()
    assert len(manifest) == 20
    for line in manifest:
        digest, name = line.split("  ")
        assert hashlib.sha256((sample / name).read_bytes()).hexdigest() == digest
    assert "20 sheets" in capsys.readouterr().out


def test_write_sample_makes_the_same_bytes_again(sheets, sample):
    make.write_sample(sheets)
    before = (sample / "SHA256SUMS").read_bytes()
    (sample / "stray.txt").write_text("left from before")
    make.write_sample(sheets)
    assert (sample / "SHA256SUMS").read_bytes() == before and not (sample / "stray.txt").exists()


def test_write_sample_refuses_a_small_folder_and_keeps_the_old_sample(sheets, sample, monkeypatch, capsys):
    make.write_sample(sheets)
    before = (sample / "SHA256SUMS").read_bytes()
    monkeypatch.setattr(make, "PER_CLASS", {"train": (4, 2), "test": (7, 1)})
    assert command.main(["sample", "--from", str(sheets)]) == 1
    error = capsys.readouterr().err
    assert error == f"ValueError: {sheets} has 6 test images of class airplane; needed are 7\n"
    assert (sample / "SHA256SUMS").read_bytes() == before
    assert sorted(path.name for path in sample.parent.iterdir()) == ["all", "sample"], "something was left behind"


# -------------------------------------------------------------------------------- the zoo


def tiny(count: int, base: int = 0, side: int = 1) -> ImageSet:
    """Images whose pixels hold their number, with classes in turn."""
    number = torch.arange(count) + base
    colour = torch.stack([number // 65536 % 256, number // 256 % 256, number % 256], 1).byte()
    images = colour[:, None, None, :].expand(count, side, side, 3).contiguous()
    return ImageSet(images, torch.arange(count) % 10, CLASSES, "made up")


def by_class(images: ImageSet, count: int) -> ImageSet:
    which = torch.cat([torch.nonzero(images.labels == label).flatten()[:count] for label in range(10)])
    return images[which]


@pytest.fixture
def complete(monkeypatch):
    """A CIFAR-10 of one pixel an image."""
    sets = {"full": [tiny(50_000), tiny(10_000, base=50_000)]}
    sets["sample"] = [by_class(sets["full"][0], 500), by_class(sets["full"][1], 200)]
    monkeypatch.setattr(runs, "load_cifar10", lambda which="sample": tuple(sets[which]))
    return sets


def numbers(images: ImageSet) -> set[int]:
    colour = images.images[:, 0, 0].long()
    return set((colour[:, 0] * 65536 + colour[:, 1] * 256 + colour[:, 2]).tolist())


def test_zoo_sets_share_no_image(complete):
    train, validation, test = runs.zoo_sets()
    assert (len(train), len(validation), len(test)) == (45_000, 5_000, 10_000)
    assert numbers(validation) == numbers(complete["sample"][0])
    assert not numbers(train) & numbers(validation) and not (numbers(train) | numbers(validation)) & numbers(test)
    assert torch.bincount(train.labels).tolist() == [4500] * 10


def test_zoo_sets_refuse_another_sample(complete):
    images = complete["sample"][0]
    complete["sample"][0] = images[torch.arange(len(images)).roll(1)]
    with pytest.raises(ValueError, match="the first 500 images of each class are not the sample's"):
        runs.zoo_sets()


def test_zoo_sets_refuse_a_part_of_cifar10(complete):
    complete["full"][0] = complete["full"][0][:-1]
    with pytest.raises(ValueError, match="the zoo trains on the complete CIFAR-10, not on made up"):
        runs.zoo_sets()


@pytest.fixture
def small_zoo(tmp_path, monkeypatch, results):
    """60 training, 10 validation and 20 test images of 32 pixels; files go to a temporary folder."""
    parts = tuple(tiny(count, side=32) for count in (60, 10, 20))
    monkeypatch.setattr(runs, "zoo_sets", lambda: parts)
    monkeypatch.setattr(runs, "CHECKPOINTS", tmp_path / "runs")
    monkeypatch.setattr(runs, "WEIGHTS", tmp_path / "weights")
    return tmp_path


def test_train_writes_weights_curve_and_row(small_zoo, results, monkeypatch):
    lines = []
    runs.train_zoo(0.1, 32, 0, 2, 0.01, 0.0, None, lines.append)
    (row,) = rows_of(results / "zoo.csv")
    assert (row["width"], row["resolution"], row["seed"], row["epochs"], row["total"]) == ("0.1", "32", "0", "2", "20")
    assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])
    assert float(row["accuracy"]) == pytest.approx(int(row["correct"]) / 20, abs=1e-4)
    assert [r["epoch"] for r in rows_of(results / "zoo_curves.csv")] == ["1", "2"]
    assert sorted(p.name for p in (small_zoo / "weights").iterdir()) == [
        "zoo_mobilenet_v2_0.1.safetensors",
        "zoo_mobilenet_v2_0.1.safetensors.sha256",
    ]
    # The stored network is the judged one, up to float16.
    monkeypatch.setattr("helpers.models.WEIGHTS", small_zoo / "weights")
    from helpers.evaluation import accuracy, predict
    from helpers.models import load_zoo

    test = runs.zoo_sets()[2]
    again = accuracy(predict(load_zoo(0.1), data.Batches(test, 500)), test.labels)
    assert abs(again.correct - int(row["correct"])) <= 1
    assert lines[-1].startswith("zoo_0.1_32_0_2: ")


def test_a_trial_on_fewer_images_records_nothing(small_zoo, results):
    lines = []
    runs.train_zoo(0.1, 32, 0, 1, 0.01, 0.0, 50, lines.append)
    assert lines[-1] == "a run on fewer images is only a trial: nothing is recorded"
    assert not results.exists() and not (small_zoo / "weights").exists()


def test_the_shallow_network_costs_what_width_half_costs_and_its_row_says_so(small_zoo, results):
    from helpers.costs import count_macs, count_params
    from helpers.models import mobilenet_v2
    from helpers.studies.shallow import shallow_net

    half, shallow = mobilenet_v2(0.5, num_classes=10, stem_stride=1), shallow_net()
    assert (count_macs(shallow, 32), count_params(shallow)) == (7_864_384, 699_674)
    assert (count_macs(half, 32), count_params(half)) == (7_837_440, 700_490)
    assert command.main(["shallow", "--epochs", "1"]) == 0
    (row,) = rows_of(results / "shallow.csv")
    assert (row["blocks"], row["width"], row["macs"], row["total"]) == ("7", "0.72", "7864384", "20")
    assert command.main(["shallow", "--epochs", "1", "--seed", "1", "--limit", "50"]) == 0
    assert len(rows_of(results / "shallow.csv")) == 1, "a trial on fewer images is not recorded"


# -------------------------------------------------------------------------------- notebooks


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "ROOT", tmp_path)
    folder = tmp_path / "notebooks"
    (folder / "solutions").mkdir(parents=True)

    def write(name: str, *cells: str):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "widgets": {"state": {}}}
        nbformat.write(notebook, folder / name)
        return folder / name

    return write


def test_execute_stores_outputs_and_leaves_a_failing_notebook_as_it_was(notebooks, capsys):
    good = notebooks("00_good.ipynb", "import os\nprint(6 * 7)", "os.path.basename(os.getcwd())")
    bad = notebooks("01_bad.ipynb", "print('before')", "1 / 0")
    before = bad.read_bytes()
    assert make.execute(["00", "01"]) == 1
    assert bad.read_bytes() == before
    told = capsys.readouterr().out
    assert "01_bad.ipynb failed and was left as it was" in told and "ZeroDivisionError" in told
    done = nbformat.read(good, as_version=4)
    assert [cell.execution_count for cell in done.cells] == [1, 2]
    assert done.cells[0].outputs[0]["text"] == "42\n"
    assert done.cells[1].outputs[0]["data"]["text/plain"] == "'notebooks'", "it runs in its own folder"
    assert "widgets" not in done.metadata and done.metadata["language_info"] == {"name": "python"}
    assert all("execution" not in cell.metadata for cell in done.cells)
    assert sorted(p.name for p in good.parent.iterdir()) == ["00_good.ipynb", "01_bad.ipynb", "solutions"]


def test_execute_without_names_runs_all_lessons_and_solutions(notebooks, capsys):
    for name in ("00_a.ipynb", "appendix_a.ipynb", "solutions/00_a.ipynb"):
        notebooks(name, "print('here')")
    assert command.main(["execute"]) == 0
    told = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["notebooks/00_a.ipynb", "notebooks/appendix_a.ipynb", "notebooks/solutions/00_a.ipynb"]


def test_execute_survives_a_kernel_that_dies(notebooks, capsys):
    dead = notebooks("02_dead.ipynb", "import os\nos._exit(3)")
    before = dead.read_bytes()
    assert make.execute(["02"]) == 1
    assert "02_dead.ipynb failed and was left as it was" in capsys.readouterr().out and dead.read_bytes() == before


# -------------------------------------------------------------------------------- what the command line says


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["execute", "77"], "FileNotFoundError: no notebook notebooks/77*.ipynb\n"),
        (["sample", "--from", "no-such-folder"], "FileNotFoundError: {train} holds no contact sheet: "),
        (
            ["stats", "--full"],
            "FileNotFoundError: CIFAR10_DIR names /nowhere, which is no folder: correct it, or unset",
        ),
        (["train", "--width", "0.5"], "FileNotFoundError: CIFAR10_DIR names /nowhere"),
        (["pilot"], "FileNotFoundError: CIFAR10_DIR names /nowhere"),
    ],
)
def test_the_command_line_tells_errors_in_one_line(arguments, words, monkeypatch, results, capsys):
    monkeypatch.setenv("CIFAR10_DIR", "/nowhere")
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(words.format(train=os.path.join("no-such-folder", "train"))) and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["bench", "gpu"], ["sample"], ["train"]])
def test_wrong_commands_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == 2 and "usage: python -m helpers" in capsys.readouterr().err


def test_stats_records_both_ways_of_computing(results, capsys):
    assert command.main(["stats"]) == 0
    rows = rows_of(results / "channel_stats.csv")
    assert [row["statistic"] for row in rows] == ["mean", "per_image_std", "std"]
    assert all(row["images"] == "5000" and row["source"].startswith("CIFAR-10 sample") for row in rows)
    assert float(rows[2]["red"]) == pytest.approx(0.248, abs=0.001)
    assert "CIFAR-10 sample: 5,000 + 2,000 of 60,000 images: std 0.248" in capsys.readouterr().out


def test_the_committed_statistics_are_those_of_the_sample():
    rows = rows_of(runs.RESULTS / "channel_stats.csv")
    stats = data.channel_stats(data.load_cifar10()[0])._asdict()
    mine = {row["statistic"]: row for row in rows if row["images"] == "5000"}
    for name, values in stats.items():
        assert [float(mine[name][colour]) for colour in ("red", "green", "blue")] == pytest.approx(values, abs=1e-6)
    full = {row["statistic"]: row for row in rows if row["images"] == "50000"}
    for name, values in (("mean", data.CIFAR10_MEAN), ("std", data.CIFAR10_STD)):
        assert [float(full[name][colour]) for colour in ("red", "green", "blue")] == pytest.approx(values, abs=5e-5)
