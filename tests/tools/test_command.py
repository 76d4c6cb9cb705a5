"""`python -m helpers`: what it finds, and what it says when something is wrong."""

import os

import pytest

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
