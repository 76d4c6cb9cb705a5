"""Run notebooks in a clean kernel, top to bottom, and store their outputs."""

import os
import time
from pathlib import Path

from helpers import ROOT


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="00, solutions/03, appendix_a …; all when none is named")


def run(options, log) -> int:
    return execute(options.which)


def find(which: list[str]) -> list[Path]:
    """The notebooks whose names begin so ("03", "solutions/03"), in order; FileNotFoundError where there is none."""
    found = []
    for name in which:
        start = name.removesuffix(".ipynb").removesuffix("*")
        paths = sorted((ROOT / "notebooks").glob(f"{start}*.ipynb"))
        if not paths and not name.endswith("*"):
            raise FileNotFoundError(f"no notebook notebooks/{name}*.ipynb")
        found += paths
    return found


def execute(which: list[str]) -> int:
    """Run notebooks in a clean kernel, top to bottom, and store their outputs; one that fails stays as it was."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    failed = 0
    for path in find(which or ["*", "solutions/*"]):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        started = time.monotonic()
        client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", store_widget_state=False, record_timing=False,
            resources={"metadata": {"path": str(path.parent)}},
        )  # fmt: skip
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"{path.relative_to(ROOT)} failed and was left as it was:\n{error}")
            failed += 1
            continue
        notebook.metadata.pop("widgets", None)
        notebook.metadata["language_info"] = {"name": "python"}
        part = path.with_suffix(".part")
        nbformat.write(notebook, part)
        os.replace(part, path)
        size = path.stat().st_size / 1e3
        print(f"{path.relative_to(ROOT)}: {time.monotonic() - started:.0f} s, {size:.0f} kB", flush=True)
    return 1 if failed else 0
