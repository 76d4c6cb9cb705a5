"""Try every claim of the lessons under other seeds, threads and instruction sets; stores nothing.

A lesson's `helpers.claim(holds, words)` must hold on the reader's machine too. Each lesson runs once with each seed
(first instruction set, most threads), and once with each combination of instruction set and thread count (first seed).
A cell that stops counts as a claim that fails. Takes several minutes a lesson: for makers, before a claim is written.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import ascii_letters

from helpers.tools.execute import find

# "default": all that this processor has; the others make PyTorch's kernels and oneDNN's behave as if it had no more
INSTRUCTIONS = {"default": {}, "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "avx2"}}
MARKS = {True: "✓", False: "✗", None: "–"}


@dataclass(frozen=True)
class Setting:
    """One way to run a lesson."""

    seed: int
    instructions: str
    threads: int

    def environment(self, file: Path) -> dict[str, str]:
        """The variables of a kernel that runs so and writes its claims into `file`."""
        mine = {name for variables in INSTRUCTIONS.values() for name in variables}
        rest = {name: value for name, value in os.environ.items() if name not in mine}
        threads = {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        asked = {"HELPERS_CLAIMS": str(file), "HELPERS_SEED": str(self.seed)}
        return rest | INSTRUCTIONS[self.instructions] | threads | asked

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.instructions}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def arguments(parser) -> None:
    parser.add_argument("which", nargs="*", metavar="NN", help="00, solutions/03, appendix_a …; all lessons if none")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), metavar="K", help="0 to 4")
    parser.add_argument("--instructions", nargs="+", choices=INSTRUCTIONS, default=list(INSTRUCTIONS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="1 and 2")
    parser.add_argument("--timeout", type=int, default=1200, metavar="SECONDS", help="longest that a cell may take")


def run(options, log) -> int:
    if min(options.threads) < 1 or min(options.seeds) < 0:
        raise ValueError(f"threads start at 1 and seeds at 0, not {min(options.threads)} and {min(options.seeds)}")
    settings, failed = plan(options.seeds, options.instructions, options.threads), 0
    for path in find(options.which or ["*"]):
        outcomes = []
        try:
            for setting in settings:
                started = time.monotonic()
                outcomes.append(try_claims(path, setting, options.timeout))
                wrong = [words for words, holds in outcomes[-1].items() if not holds]
                told = f"not so: {'; '.join(wrong)}" if wrong else f"all {len(outcomes[-1])} claims hold"
                log(f"{path.name}, {setting}: {time.monotonic() - started:.0f} s, {told}")
        finally:  # Ctrl-C after an hour: what was tried until then is told
            print(table(path.name, settings[: len(outcomes)], outcomes), flush=True)
        failed += sum(not all(outcome.values()) for outcome in outcomes)
    return 1 if failed else 0


def plan(seeds: list[int], instructions: list[str], threads: list[int]) -> list[Setting]:
    """Every seed with the first instruction set and most threads, then the first seed with all their combinations."""
    each_seed = [Setting(seed, instructions[0], max(threads)) for seed in seeds]
    combined = [Setting(seeds[0], *pair) for pair in product(instructions, sorted(threads))]
    return list(dict.fromkeys([*each_seed, *combined]))


def try_claims(path: Path, setting: Setting, timeout: int = 1200) -> dict[str, bool]:
    """Run a notebook's code as it stands, in a kernel of its own: claim → does it hold? The file is left alone.

    A claim that is made several times holds if it always does. A cell that raises an error adds a claim of its own.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook, outcome = nbformat.read(path, as_version=4), {}
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        cell.outputs = []  # those that are stored say nothing about this run
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", allow_errors=True, store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "claims.jsonl"
        try:
            client.execute(env=setting.environment(file))
        except (CellTimeoutError, DeadKernelError, RuntimeError) as error:  # it died at once: RuntimeError
            outcome[f"(the lesson ends early: {type(error).__name__})"] = False
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for claim in map(json.loads, lines):
        outcome[claim["words"]] = outcome.get(claim["words"], True) and claim["holds"]
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.outputs:
            if output.output_type == "error":
                outcome[f"(code cell {number} stops: {output.ename}: {output.evalue[:80]})"] = False
    return outcome


def table(name: str, settings: list[Setting], outcomes: list[dict[str, bool]]) -> str:
    """One line a claim, one column a setting: ✓ held, ✗ did not, – was not made."""
    columns = ascii_letters[: len(settings)]
    lines = ["", name, *(f"  {letter}  {setting}" for letter, setting in zip(columns, settings, strict=True))]
    lines.append(f"  {' '.join(columns)}")
    for words in dict.fromkeys(words for outcome in outcomes for words in outcome):
        lines.append(f"  {' '.join(MARKS[outcome.get(words)] for outcome in outcomes)}  {words}")
    return "\n".join(lines)
