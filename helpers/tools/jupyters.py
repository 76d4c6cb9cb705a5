"""Which Python runs `jupyter lab` here, which one its notebooks, and what has each? For `doctor`."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# What the server's Python and the kernel's Python tell of themselves; any Python with a Jupyter can run these.
PROBE = """
import importlib.util, json, sys
from importlib import metadata
told = {"python": sys.executable, "helpers": getattr(importlib.util.find_spec("helpers"), "origin", None)}
for name in ("jupyterlab", "jupyterlab_widgets", "ipywidgets", "ipykernel"):
    try:
        told[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        told[name] = None
"""
SERVER = (
    PROBE
    + """
from pathlib import Path
from jupyter_core.paths import jupyter_path
from jupyter_client.kernelspec import KernelSpecManager
for folder in jupyter_path("labextensions"):
    file = Path(folder, "@jupyter-widgets", "jupyterlab-manager", "package.json")
    if file.exists():
        told["manager"], told["folder"] = json.loads(file.read_text(encoding="utf-8"))["version"], str(file.parent)
        break
try:
    told["kernel"] = KernelSpecManager().get_kernel_spec("python3").argv[0]
except Exception as error:
    told["kernel"] = None
"""
)


def server_python() -> str | None:
    """The Python that `jupyter lab` would run in: the one of the command on the PATH, else this one."""
    script = shutil.which("jupyter-lab") or shutil.which("jupyter-lab", path=str(Path(sys.executable).parent))
    if script is None:
        try:
            metadata.version("jupyterlab")
            return sys.executable
        except metadata.PackageNotFoundError:
            return None
    with open(script, "rb") as file:  # #!/path/python, or, where the path is long or has a space, a second line of sh
        start = file.read(1000).decode("utf-8", "replace")
    for line in start.splitlines()[:2]:
        if found := re.search(r"""^#!(/.*python[\d.]*)$|^'''exec' "?(/.*?python[\d.]*)"? "\$0\"""", line.strip()):
            return found[1] or found[2]
    beside = [Path(script).parent / name for name in ("python.exe", "python", "../python.exe")]  # Windows: a program
    return next((str(path) for path in beside if path.exists()), sys.executable)


def ask(python: str, code: str) -> dict:
    """What another Python tells of itself, or {"error": why not}."""
    try:
        told = subprocess.run(
            [python, "-c", code + "print(json.dumps(told))"], capture_output=True, timeout=30, cwd=tempfile.gettempdir()
        )
        return json.loads(told.stdout) if told.returncode == 0 else {"error": first_line(told.stderr.decode().strip())}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"error": first_line(error)}


def first_line(words) -> str:
    """Of an error the line that says what happened, 200 characters at most."""
    lines = str(words).strip().splitlines() or [type(words).__name__]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:200]
