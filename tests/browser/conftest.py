"""JupyterLab for real, on 127.0.0.1, and a headless Chromium that looks at it.

`pytest -o addopts= -rs tests/browser` runs everything; with `-m "not slow"` it leaves out what runs whole lessons.
Skipped, and said so, where Playwright or Chromium is missing.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from helpers.lessons import EXPLORERS

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"
PATIENCE = 600_000  # milliseconds: a whole lesson, on two cores that others use too
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIRST = "import helpers\nfrom helpers import plots\nplots.use_style()\n"


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e .[dev]")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: the widgets are not tried in a real browser")
    with playwright.sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """(address with token, the folder it serves) of a JupyterLab with settings of its own."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    settings |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    settings |= {"IPYTHONDIR": str(home / "ipython")}
    # All cells are kept on the page, so that a test can see them all; nothing is asked of the network.
    wishes = {
        "notebook-extension/tracker": '{"windowingMode": "none"}',
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    }
    for name, value in wishes.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(value, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        f"--ServerApp.root_dir={folder}",
    ]
    with open(home / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log, cwd=folder)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            if server.poll() is not None:
                pytest.fail(f"JupyterLab ended at once:\n{(home / 'log').read_text(encoding='utf-8')[-2000:]}")
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=2).close()
                break
            except OSError:
                time.sleep(0.25)
        else:
            pytest.fail(f"JupyterLab did not answer:\n{(home / 'log').read_text(encoding='utf-8')[-2000:]}")
        yield f"{address}/lab/tree/{{}}?token={token}&reset", folder
    finally:
        server.terminate()
        server.wait(20)


class Lesson:
    """A notebook open in the browser; all cells have run."""

    def __init__(self, page):
        self.page = page

    def widget(self, number: int = 0) -> "Widget":
        return Widget(self.page, number)

    def resize(self, width: int, height: int) -> None:
        """Another window; returns when the page has settled in it."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(400)


class Widget:
    """The `number`th explorer of the page, as a reader's eyes and hands know it."""

    def __init__(self, page, number: int):
        self.page = page
        self.box = page.locator(".jp-OutputArea-output .explorer").nth(number)
        self.image = self.box.locator("img.explorer-picture")
        self.words = self.box.locator(".explorer-words")
        self.image.scroll_into_view_if_needed(timeout=PATIENCE)
        self.below = page.locator(".jp-Notebook-cell", has=self.box).locator("xpath=following-sibling::*[1]")

    def state(self) -> tuple[str, str]:
        """The picture, as text, and the words under it."""
        return self.image.get_attribute("src"), self.words.inner_text()

    def values(self) -> dict[str, str]:
        """Label → value, as the reader reads them off the controls."""
        return self.box.evaluate(
            """box => Object.fromEntries([...box.querySelectorAll(".explorer-controls > *:has(> .widget-label)")]
            .map(one => [one.querySelector(".widget-label").textContent,
                (one.querySelector("select")?.selectedOptions[0] ?? one.querySelector(".mod-active")
                ?? one.querySelector(".widget-readout"))?.textContent.replaceAll("\\u00a0", " ").replace("−", "-")]))"""
        )

    def changed(self, act) -> None:
        """Do `act` and wait until picture and words differ; nothing below may move, and no error may show."""
        before, place = self.state(), self._place()
        act()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            after = self.state()
            if after[0] != before[0] and after[1] != before[1]:
                break
            time.sleep(0.05)
        else:
            what = [name for name, a, b in zip(("picture", "text"), before, after, strict=True) if a == b]
            pytest.fail(f"within 20 s there was no change of {' and '.join(what)}")
        assert self.box.locator(".explorer-error").count() == 0, self.box.inner_text()
        assert self._place() == place, "the cell below the widget has moved"

    def says(self, words: str, within: float = 20) -> None:
        """Wait until these words stand under the picture: a drag passes other values on its way."""
        self.words.filter(has_text=words).wait_for(timeout=within * 1000)

    def drag(self, label: str, share: float, steps: int = 6) -> None:
        """Take the handle of the slider called `label` and drag it to `share` (0…1) of the track."""
        track = self.control(label).locator(".noUi-base")
        handle = self.control(label).locator(".noUi-handle")
        handle.scroll_into_view_if_needed()
        grip, line = handle.bounding_box(), track.bounding_box()
        middle = grip["y"] + grip["height"] / 2
        self.page.mouse.move(grip["x"] + grip["width"] / 2, middle)
        self.page.mouse.down()
        self.page.mouse.move(line["x"] + line["width"] * share, middle, steps=steps)
        self.page.mouse.up()

    def choose(self, label: str, option: str) -> None:
        """Choose from the menu called `label`."""
        self.control(label).locator("select").select_option(label=option)

    def press(self, label: str) -> None:
        """Press a button."""
        self.box.get_by_role("button", name=label, exact=True).click()

    def guess(self, value: str) -> None:
        """Enter a guess and reveal."""
        entry = self.box.locator(".explorer-guess")
        if entry.locator("select").count():
            entry.locator("select").select_option(label=value)
        else:
            entry.locator("input").fill(value)
            entry.locator("input").press("Tab")
        entry.get_by_role("button", name="Reveal").click()

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.box.screenshot(path=SCREENSHOTS / f"{name}.png")

    def control(self, label: str):
        """The control with this label."""
        exact = self.page.locator(f'label:text-is("{label}")')
        return self.box.locator(".explorer-controls > *", has=exact)

    def _place(self) -> float:
        """Where the next cell begins, measured from the widget's top, in pixels."""
        return round(self.below.bounding_box()["y"] - self.box.bounding_box()["y"], 1)


@pytest.fixture
def open_lesson(browser, lab):
    """open_lesson("02", cells=["import", "explorer"]) runs a copy of the lesson; with `cells`, only those code cells
    that hold one of these words (to be quick); `extra` is one more line of code at their end."""
    pages = []

    def open_one(number: str, cells: list[str] | None = None, extra: str = "") -> Lesson:
        path = next((ROOT / "notebooks").glob(f"{number.rstrip('_')}_*.ipynb"), None)  # "04" is not "04b"
        assert path, f"there is no notebook notebooks/{number}_*.ipynb"
        notebook = nbformat.read(path, as_version=4)
        if cells is not None:
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            notebook.cells = [cell for cell in code if any(word in cell.source for word in cells)]
            notebook.cells.append(nbformat.v4.new_markdown_cell("The cell below the widget."))
            if extra:
                notebook.cells.append(nbformat.v4.new_code_cell(extra))
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        lesson = _open(browser, lab, notebook, path.stem)
        pages.append(lesson.page)
        return lesson

    yield open_one
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def gallery(browser, lab):
    """A page with every explorer of the series, each made as its module's `example()` or, without one, by itself."""
    lesson = open_explorers(browser, lab, list(EXPLORERS))
    yield lesson
    lesson.page.close()


def open_explorers(browser, lab, names: list[str], arguments: str = "") -> Lesson:
    """A page with a cell for each of these explorers ("cost_explorer"), its words and its markdown below."""
    cells = [nbformat.v4.new_code_cell(FIRST)]
    for name in names:
        text = f"from {EXPLORERS[name]} import {maker(name)} as make\nexplorer = make({arguments})\nexplorer"
        cells += [nbformat.v4.new_code_cell(text), nbformat.v4.new_markdown_cell("The cell below the widget.")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return _open(browser, lab, notebook, "explorers")


def maker(name: str) -> str:
    """The function that makes this explorer without arguments."""
    return "example" if hasattr(import_module(EXPLORERS[name]), "example") else name


def _open(browser, lab, notebook, stem: str) -> Lesson:
    address, folder = lab
    name = f"{stem}_{len(list(folder.iterdir()))}.ipynb"
    nbformat.write(notebook, folder / name)
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(address.format(name), timeout=PATIENCE)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=PATIENCE)
    page.get_by_text("| Idle").wait_for(timeout=PATIENCE)  # the status bar: the kernel is there
    run_all(page)
    return Lesson(page)


def run_all(page) -> None:
    """Menu Run → Run All Cells, then wait until the last code cell has run; a red cell fails the test."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        broken = page.locator(".jp-OutputArea-output").filter(has_text="Traceback (most recent call last)")
        if broken.count():
            pytest.fail(f"a cell failed: {broken.first.inner_text()[-1500:]}")
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        if prompts and all(text.strip("[]: ").isdigit() for text in prompts):
            return
        time.sleep(0.2)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "failed.png")
    pytest.fail(f"not all cells ran within {PATIENCE / 1000:.0f} s: {prompts}; see screenshots/failed.png")
