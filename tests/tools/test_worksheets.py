"""Worksheets: the empty one gives nothing away, the answers are those of the lessons."""

import re

import pytest
import torch

from helpers import __main__ as command
from helpers.costs import count_macs
from helpers.tools import worksheets


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<body>")[2]))


@pytest.mark.parametrize("name", worksheets.SHEETS)
def test_the_empty_sheet_gives_nothing_away(name):
    empty, full = (worksheets.page(name, answers) for answers in (False, True))
    assert '<span class="a">' not in empty and full.count('class="a"') >= 12
    told = [plain("<body>" + text).strip() for text in re.findall(r'<span class="a">(.*?)</span>', full)]
    long = [text for text in told if len(text) > 5 and text not in ("channels in", "channels out")]
    assert long and not [text for text in long if text in plain(empty)]
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|<link", empty + full)


def test_the_window_is_the_lesson_s_own():
    picture, kernel = worksheets.matrices()
    assert picture.shape == (4, 4) and kernel.shape == (3, 3)
    sums = [(picture[r : r + 3, c : c + 3] * kernel).sum().item() for r in (0, 1) for c in (0, 1)]
    cells = re.findall(r"<td><span class=\"a\">(−?\d+)</span></td>", worksheets.page("03", True))[:4]
    assert [int(cell.replace("−", "-")) for cell in cells] == sums


def test_the_counts_are_those_of_the_helpers():
    text = plain(worksheets.page("03", True))
    dense = count_macs(torch.nn.Conv2d(3, 4, 3), 8)
    pair = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, groups=3), torch.nn.Conv2d(3, 4, 1))
    assert f"= {dense:,} MACs" in text and f"= {count_macs(pair, 8):,} " in text
    assert "at 2.5 MACs per byte" in text


def test_the_loss_by_hand():
    text = plain(worksheets.page("01", True))
    scores = torch.tensor([[2.0, 1.0, -1.0]])
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0]))
    assert f"of the true class: {loss:.2f}" in text
    for share in scores.softmax(1)[0]:
        assert f"{share:.3f}" in text
    assert "900 / 10,890 = 8.3 %" in text


def test_the_mistakes_are_those_of_the_table():
    from helpers.lessons.lesson_08 import mistakes

    empty, full = (plain(worksheets.page("08", answers)) for answers in (False, True))
    for name in mistakes.MISTAKES.values():
        assert name in empty and name in full
    assert "better than it is? 5, 6, 7, 8 " in full and "settle its sign? 5, 8 " in full


def test_the_command(tmp_path, capsys):
    assert command.main(["worksheet", "3", "--to", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["03.html", "03_answers.html"]
    assert command.main(["worksheet", "05", "--to", str(tmp_path)]) == 1
    assert "there is no worksheet 05; there are 01, 03, 08" in capsys.readouterr().err


def test_in_a_classroom(classroom, desk):
    told = classroom.run("worksheet", "03", "--to", "练习")
    assert told.returncode == 0, told.stderr
    assert (desk / "练习" / "03_answers.html").exists()
