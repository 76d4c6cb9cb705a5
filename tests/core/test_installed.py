"""How the module is installed: where its data are, and by packages of which versions."""

import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from helpers import ROOT


def requirements(name: str) -> dict[str, Requirement]:
    """The packages of a requirements file by name."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {each.name: each for each in found}


def test_a_copy_without_its_data_says_how_to_install_it(tmp_path):
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run([sys.executable, "-c", "import helpers"], cwd=tmp_path, capture_output=True, text=True)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1 and last.startswith("ImportError: helpers works only in the repository of the lessons")
    assert f"{tmp_path / 'data'} is missing" in last and "`pip install -r requirements.txt`" in last


def test_the_constraints_name_one_version_of_every_package_within_its_range():
    ranges, exact = requirements("requirements.txt"), requirements("constraints.txt")
    assert not ranges.keys() - exact.keys()
    for name, one in exact.items():
        version = str(one.specifier).removeprefix("==")
        assert re.fullmatch(r"[\d.]+", version), f"{one} is not one version"
        assert name not in ranges or version in ranges[name].specifier, f"{one} lies outside {ranges[name]}"


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_the_constraints_are_the_versions_that_the_stored_outputs_print(package):
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    printed = {found for text in texts for found in re.findall(rf"\b{package} (\d+\.\d+\.\d+) ·", text)}
    assert printed == {str(requirements("constraints.txt")[package].specifier).removeprefix("==")}


def test_the_readme_gives_the_ranges_of_the_requirements():
    given = re.findall(r'"(torch(?:vision)?[<>=][^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {each.name for each in map(Requirement, given)} == {"torch", "torchvision"}
    for each in map(Requirement, given):
        assert each.specifier == requirements("requirements.txt")[each.name].specifier
