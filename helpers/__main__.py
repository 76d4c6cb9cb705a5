"""The runs behind the committed files, and the makers' tools: `python -m helpers NAME --help`."""

import argparse
import ast
import os
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent


def commands() -> dict[str, Path]:
    """Name → file of every tool and every long run: a file of tools/ or of a lesson's room that defines `run`.

    The files are parsed, not imported: `--help` costs no second of PyTorch, and a broken file breaks itself alone.
    """
    found = {}
    for path in sorted([*HERE.glob("tools/*.py"), *HERE.glob("lessons/*/*.py")]):
        functions = {node.name for node in _parsed(path).body if isinstance(node, ast.FunctionDef)}
        if {"arguments", "run"} <= functions:
            if path.stem in found:
                raise ValueError(f"two commands are called {path.stem}: {found[path.stem]} and {path}")
            found[path.stem] = path
    return dict(sorted(found.items()))


def describe(path: Path) -> str:
    """The first line of a command's docstring."""
    return (ast.get_docstring(_parsed(path)) or path.stem).splitlines()[0]


def log(text: str) -> None:
    """Print a line with the time of day, at once."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def parser(name: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command `name` with its options, or of all commands by name alone."""
    top = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    lines = top.add_subparsers(dest="command", required=True, metavar="NAME")
    for command, path in commands().items():
        line = lines.add_parser(command, help=describe(path).replace("%", "%%"), add_help=command == name)
        if command == name:
            module = import_module(_module(path))
            line.description, line.formatter_class = module.__doc__, argparse.RawDescriptionHelpFormatter
            module.arguments(line)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. An error that a person can mend is told in a sentence."""
    for stream in (sys.stdout, sys.stderr):
        # A console or a file that cannot hold → or α (Windows' cp1252, gbk) gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = sys.argv[1:] if arguments is None else arguments
    name = next((word for word in words if not word.startswith("-")), None)
    try:
        options = parser(name).parse_args(words)
        options.words = words
        return import_module(_module(commands()[options.command])).run(options, log) or 0
    except KeyboardInterrupt as stop:
        if "HELPERS_COPY_OF" not in os.environ:  # one of several processes leaves the word to the first
            print(f"Stopped: {str(stop) or 'the same command starts it again'}.", file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        # torch.save's way of saying that a file could not be written to its end
        from helpers.results import runs_folder

        folder = runs_folder()
        left = shutil.disk_usage(folder if folder.exists() else HERE).free / 1e6
        print(f"OSError: a checkpoint could not be written: {left:,.1f} MB are left on the disk of {folder}. The epoch "
              "before it is safe; make room, and the same command goes on", file=sys.stderr)  # fmt: skip
        return 1


def _module(path: Path) -> str:
    return ".".join(["helpers", *path.relative_to(HERE).with_suffix("").parts])


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    ended = main()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from helpers import ranks

        ranks.leave(ended)  # torchrun would start a finished run again that fell over at its very end
    sys.exit(ended)
