"""A learner's copies: answers covered, work never lost, links that lead somewhere. Told by the files that are made."""

import re
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT
from helpers import __main__ as command
from helpers.tools import workbook

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_a_class_gets_its_pages_from_a_checkout_that_it_may_not_write(classroom, desk):
    told = classroom.run("workbook", "我的 课本")
    assert told.returncode == 0, told.stderr
    folder = desk / "我的 课本"
    assert told.stdout == (f'2 lessons written to {folder}.\nBegin: jupyter lab "{folder / "00_quick_tour.ipynb"}"\n')
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "00_quick_tour.ipynb", "03_depthwise_separable_convolution.ipynb", "README.md", "README.md",
    ]  # fmt: skip
    refused = classroom.run("workbook")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "(Permission denied): name a folder of your own" in refused.stderr


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_answers_are_covered_and_all_else_stays(path):
    """Every page: the cells in their order, with a line for each guess; outputs but those of answering cells."""
    before, after = nbformat.read(path, 4), nbformat.reads(workbook.copy(path)[0], 4)
    nbformat.validate(after)
    asked = 0
    rest = iter(after.cells)
    for old in before.cells:
        new = next(rest)
        assert new.id == old.id
        if old.cell_type == "code":
            answers = "answers-prediction" in old.metadata.get("tags", [])
            assert new.outputs == ([] if answers else old.outputs)
            assert new.execution_count == (None if answers else old.execution_count)
            if answers and re.search(r"^helpers\.claim\(", old.source, re.MULTILINE):
                claims = next(rest)
                assert claims.metadata.jupyter.source_hidden and claims.metadata.tags == ["claims"]
                assert not re.search(r"^helpers\.claim\(", new.source, re.MULTILINE) and not claims.outputs
                lines = [*new.source.splitlines(), *claims.source.splitlines()]
                assert sorted(filter(None, lines)) == sorted(filter(None, old.source.splitlines()))
            else:
                assert new.source == old.source
            alts = [
                out.metadata["image/png"].get("alt", "") for out in old.outputs if "image/png" in out.get("data", {})
            ]
            joined = re.sub(r'"\s*f?"', "", old.source)
            told = answers and any(len(alt) > 60 and alt[:45] in joined for alt in alts)
            assert bool(new.metadata.get("jupyter", {}).get("source_hidden")) >= told
        elif re.search(r"\*\*Predict\b", old.source):
            asked += 1
            guess = next(rest)
            assert guess.cell_type == "code" and guess.source == "# My guess: " and not guess.outputs
    assert next(rest, None) is None and asked >= 2


def test_no_note_for_teachers_comes_along(tmp_path):
    workbook.write(tmp_path / "mine")
    names = [path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*")]
    assert "README.md" in names and not [name for name in names if "teaching" in name or "solutions" in name]


def test_pictures_of_explorers_stay():
    notebook = nbformat.reads(workbook.copy(ROOT / "notebooks" / "05_width_and_resolution.ipynb")[0], 4)
    (picture,) = [cell for cell in notebook.cells if cell.source == "plots.show(explorer.figure(), explorer.alt)"]
    (output,) = picture.outputs
    assert "image/png" in output.data and output.metadata["image/png"]["alt"].startswith("Veiled until")


def test_what_a_learner_wrote_is_never_touched(tmp_path, capsys):
    folder = tmp_path / "mine"
    added, there = workbook.write(folder)
    assert len(added) == len(LESSONS) and not there
    mine, table, gone = (
        folder / "03_depthwise_separable_convolution.ipynb",
        folder / "data" / "README.md",
        "07_training",
    )
    mine.write_bytes(b"my work, half saved")
    table.write_text("my notes", encoding="utf-8")
    (folder / f"{gone}.ipynb").unlink()
    assert command.main(["workbook", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"1 lesson written to {folder}.",
        f"{len(LESSONS) - 1} lessons of {len(LESSONS)} stood there already and stay as you left them: to have one "
        "anew, rename yours and give the command again.",
    ]
    assert mine.read_bytes() == b"my work, half saved" and table.read_text(encoding="utf-8") == "my notes"
    assert (folder / f"{gone}.ipynb").exists() and not list(folder.rglob("*.part"))


def test_every_link_of_a_workbook_leads_to_a_file_of_it(tmp_path):
    workbook.write(tmp_path)
    seen = 0
    for path in [*tmp_path.glob("*.ipynb"), *tmp_path.rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join(c.source for c in nbformat.reads(text, 4).cells if c.cell_type == "markdown")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if ":" not in target and not target.startswith("#"):
                goal = (path.parent / target.split("#")[0]).resolve()
                assert goal.is_file() and tmp_path.resolve() in goal.parents, f"{path.name}: {target}"
                seen += 1
    assert seen > 60 and not list(tmp_path.rglob("solutions"))


def test_links_are_turned_as_their_goals_move(tmp_path, monkeypatch):
    """To a page, a picture, a datasheet with an anchor, a folder, a solution, the web, and what is only written so."""
    notebooks = tmp_path / "notebooks"
    for name in ("01_a.ipynb", "images/x.png", "solutions/01_a.ipynb", "../data/README.md"):
        (notebooks / name).parent.mkdir(parents=True, exist_ok=True)
        (notebooks / name).write_text("", encoding="utf-8")
    monkeypatch.setattr(workbook, "ROOT", tmp_path)
    monkeypatch.setattr(workbook, "NOTEBOOKS", notebooks)
    text = "[a](01_a.ipynb#top) ![two words](images/x.png) [d](../data/README.md#images) [f](../data) "
    text += "[s](solutions/01_a.ipynb) [w](https://a.org/b) `f[i](x)` [here](#there)"
    turned, goals = workbook.relinked(text, notebooks / "00_b.ipynb")
    assert turned == (
        "[a](01_a.ipynb#top) ![two words](images/x.png) [d](data/README.md#images) f s [w](https://a.org/b) "
        "`f[i](x)` [here](#there)"
    )
    assert [path.name for path in goals] == ["01_a.ipynb", "x.png", "README.md"]
    back, _ = workbook.relinked("[back](../notebooks/01_a.ipynb)", tmp_path / "data" / "README.md")
    assert back == "[back](../01_a.ipynb)"


def test_what_a_linked_page_links_to_comes_too(tmp_path, monkeypatch):
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("[d](../data/README.md)")])
    (tmp_path / "notebooks").mkdir()
    nbformat.write(page, tmp_path / "notebooks" / "00_a.ipynb")
    for name, text in (
        ("README.md", "[p](deep/er.md)"),
        ("deep/er.md", "[b](../README.md) [t](t.csv)"),
        ("deep/t.csv", "1"),
    ):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(workbook, "ROOT", tmp_path)
    monkeypatch.setattr(workbook, "NOTEBOOKS", tmp_path / "notebooks")
    workbook.write(tmp_path / "mine")
    found = {path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*.*")}
    assert found == {"00_a.ipynb", "data/README.md", "data/deep/er.md", "data/deep/t.csv"}


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (ROOT / "notebooks", "belongs to the lessons themselves: name a folder of your own"),
        (ROOT / "notebooks" / "solutions", "belongs to the lessons themselves: name a folder of your own"),
        (ROOT / "README.md", "is a file, and a workbook is a folder: name another"),
    ],
)
def test_folders_that_cannot_be_a_workbook_are_refused_in_a_sentence(folder, words, capsys):
    assert command.main(["workbook", str(folder)]) == 1
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_the_default_folder_is_ignored_by_git(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(workbook, "write", lambda folder: (seen.append(folder), ([], []))[1])
    assert command.main(["workbook"]) == 0
    assert seen == [ROOT / "workbook"]
    assert "workbook/" in Path(ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
