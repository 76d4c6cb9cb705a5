"""`python -m helpers`: what it finds, what it imports, and what it says when something is wrong."""

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from helpers import ROOT
from helpers import __main__ as command


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
def test_the_command_line_tells_errors_in_one_line(arguments, words, monkeypatch, results, tmp_path, capsys):
    monkeypatch.setenv("CIFAR10_DIR", "/nowhere")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(words.format(train=os.path.join("no-such-folder", "train"))) and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["bench", "gpu"], ["sample"], ["train", "--wide", "1"]])
def test_wrong_commands_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == 2 and "usage: python -m helpers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ablation", "--seeds", "0"], "--seeds: it is a whole number of at least 1, not 0"),
        (["ablation", "--images", "-1"], "--images: it is a whole number of at least 1, not -1"),
        (["ablation", "--batch-size", "0"], "--batch-size: it is a whole number of at least 1, not 0"),
        (["mistakes", "--limit", "0"], "--limit: it is a whole number of at least 1, not 0"),
        (["mistakes", "--seeds", "3"], "unrecognized arguments: --seeds 3"),
        (["transfer", "--seeds", "-1"], "--seeds: it is a whole number of at least 0, not -1"),
        (["article", "--epochs", "0"], "--epochs: it is a whole number of at least 1, not 0"),
        (["shallow", "--limit", "0"], "--limit: it is a whole number of at least 1, not 0"),
        (["pilot", "--lr", "0.1", "0"], "--lr: it is a learning rate above 0, not 0"),
        (["pilot", "--weight-decay", "nan"], "--weight-decay: it is a number from 0 to below 1, not nan"),
        (["robustness", "--widths", "-0.5"], "--widths: it is a width multiplier above 0 and up to 4, not -0.5"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_every_command(arguments, told, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert capsys.readouterr().err.rstrip().endswith(told)


def run(code: str, **environment) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], env=os.environ | environment, cwd=ROOT, capture_output=True)


def test_the_list_of_commands_needs_no_pytorch():
    told = run(
        "import sys, json\n"
        "from helpers.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'torchvision', 'numpy', 'matplotlib', 'nbformat', 'ipywidgets'}\n"
        "    print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout.decode().splitlines()[-1]) == [], "these were imported for a list of names"


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii"])
def test_help_can_be_redirected_on_a_console_that_is_not_utf_8(encoding):
    told = run("from helpers.__main__ import main; main(['--help'])", PYTHONIOENCODING=encoding)
    assert told.returncode == 0 and told.stderr == b"", told.stderr
    assert b"zoo.csv" in told.stdout and b"UnicodeEncodeError" not in told.stdout


@pytest.fixture
def fails(monkeypatch):
    """A command that ends with the given error."""

    def make(error):
        def run(options, log):
            raise error

        monkeypatch.setattr(command, "commands", lambda: {"fails": command.HERE / "tools" / "stats.py"})
        module = SimpleNamespace(__doc__="", arguments=lambda parser: None, run=run)
        monkeypatch.setattr(command, "import_module", lambda name: module)
        return command.main(["fails"])

    return make


def test_ctrl_c_is_one_sentence(fails, capsys):
    assert fails(KeyboardInterrupt("epoch 3 is safe")) == 130
    assert capsys.readouterr().err == "Stopped: epoch 3 is safe.\n"
    assert fails(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "Stopped: the same command starts it again.\n"


def test_a_checkpoint_on_a_full_disk_is_one_sentence(fails, capsys, monkeypatch, tmp_path):
    """As torch.save says it, and no other RuntimeError: those are the program's own faults."""
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path))
    words = "[enforce fail at inline_container.cc:672] . unexpected pos 1655104 vs 1655000"
    assert fails(RuntimeError(words)) == 1
    told = capsys.readouterr().err
    assert (
        told.startswith("OSError: a checkpoint could not be written: ")
        and f"MB are left on the disk of {tmp_path}" in told
    )
    assert "is safe; make room, and the same command goes on" in told and told.count("\n") == 1
    with pytest.raises(RuntimeError, match="shapes"):
        fails(RuntimeError("shapes do not match"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_pytorch_still_says_it_in_these_words():
    with pytest.raises((RuntimeError, OSError)) as told:
        torch.save(torch.zeros(1_000_000), "/dev/full")
    error = told.value
    assert (
        getattr(error, "errno", 0) == errno.ENOSPC or "PytorchStreamWriter" in str(error) or "inline_con" in str(error)
    )
