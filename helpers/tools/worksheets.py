"""What stands on the worksheets of lessons 01, 03 and 08, with empty places or with the answers in them."""

import ast
import math
import re

import nbformat
import torch

from helpers import ROOT
from helpers.tools.handout import CSS, words

STYLE = """
@page { size: A4; margin: 14mm 16mm; @bottom-center { content: none; } }
body { font-size: 10pt; } h1 { font-size: 15pt; margin: 0 0 1mm; } h2 { font-size: 11.5pt; margin: 3.5mm 0 1mm; }
p { margin: 1mm 0; }
.name { display: flex; gap: 3mm; font-size: 9pt; border-bottom: .2mm solid #999; padding-bottom: 6mm; }
.name > span { flex: 1; }
.side { display: flex; gap: 9mm; align-items: center; margin: 2mm 0; }
.grid { border-collapse: collapse; margin: 0; width: auto; }
.grid td { width: 9mm; height: 9mm; border: .25mm solid #333; text-align: center; vertical-align: middle; padding: 0;
  font-size: 10pt; }
table.fill { width: 100%; table-layout: fixed; }
table.fill th, table.fill td { border: .2mm solid #777; font-size: 8.5pt;
  overflow-wrap: anywhere; padding: .8mm 1.4mm; }
table.fill td { height: 9mm; } table.low td { height: 6.6mm; }
.a { color: #006b4e; font-weight: bold; }
.bet { border: .4mm solid #333; padding: 1.5mm 3mm; margin: 2mm 0; min-height: 13mm; }
svg { display: block; margin: 1mm auto; }
"""
PEAK, BANDWIDTH = 50e9, 20e9  # MACs and bytes a second of the machine on the sheet: the one of exercise 3.8


def page(name: str, answers: bool) -> str:
    """A worksheet as one HTML page."""
    title, body = SHEETS[name](answers)
    kind = "answers" if answers else "worksheet"
    top = "" if answers else '<p class="name"><span>Name</span><span>Date</span></p>'
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}: {kind}</title>\n'
        f"<style>{CSS.read_text(encoding='utf-8')}{STYLE}</style></head>\n<body>\n<h1>{title} · {kind}</h1>{top}\n"
        f"{body}\n</body>\n</html>\n"
    )


def lesson(stem: str) -> list[str]:
    """The sources of a page's cells."""
    return [cell.source for cell in nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells]


def matrices() -> tuple[torch.Tensor, torch.Tensor]:
    """The picture and the kernel with which lesson 03 begins."""
    source = next(text for text in lesson("03_depthwise_separable_convolution") if text.startswith("picture = "))
    found = {
        node.targets[0].id: torch.tensor(ast.literal_eval(node.value.args[0]))
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
    }
    return found["picture"], found["kernel"]


def _cell(value, answers: bool) -> str:
    return f'<span class="a">{value}</span>' if answers else ""


def _table(head: list[str], rows: list[list[str]], widths: list[int], kind: str = "") -> str:
    columns = "".join(f'<col style="width: {width}%">' for width in widths)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    heads = "".join(f"<th>{name}</th>" for name in head)
    return (
        f'<table class="fill {kind}"><colgroup>{columns}</colgroup><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _grid(rows: list[list]) -> str:
    lines = "".join("<tr>" + "".join(f"<td>{_signed(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="grid"><tbody>{lines}</tbody></table>'


def _signed(cell) -> str:
    return str(cell).replace("-", "−") if not str(cell).startswith("<") else str(cell)


def costs(answers: bool) -> tuple[str, str]:
    """Lesson 01: scores to a loss; what mistakes cost."""
    scores = torch.tensor([2.0, 1.0, -1.0])
    raised, shares = scores.exp(), scores.softmax(0)
    push = shares - torch.tensor([1.0, 0.0, 0.0])
    rows = [
        [f"<b>{name}</b>", f"{score:+.0f}".replace("-", "−"), _cell(f"{e:.2f}", answers), _cell(f"{p:.3f}", answers),
         _cell(f"{g:+.3f}".replace("-", "−"), answers)]
        for name, score, e, p, g in zip(("cat (true)", "dog", "frog"), scores.tolist(), raised.tolist(),
                                        shares.tolist(), push.tolist(), strict=True)
    ]  # fmt: skip
    uses = next(text for text in lesson("01_concepts") if "| **Medicine** |" in text)
    four = [
        [part.strip() for part in line.strip("| ").split("|")] for line in uses.splitlines() if line.startswith("| **")
    ]
    four = [[f"<b>{use.strip('*')}</b>", image, _cell(miss, answers), _cell(alarm, answers), ""]
            for use, image, _, miss, alarm in four]  # fmt: skip
    loss = -math.log(float(shares[0]))
    found, false = 900, 9990  # of a million scenes, 1,000 unusual: 90 % of these, 1 % of the others
    body = f"""
<h2>1 · From scores to a loss, by hand</h2>
{
        _table(
            ["class", "score <i>z</i>", "e<sup><i>z</i></sup>", "<i>p</i>", "push: <i>p</i> − 1 or <i>p</i>"],
            rows,
            [24, 16, 20, 20, 20],
        )
    }
<p>The loss, −ln <i>p</i> of the true class: {_cell(f"{loss:.2f}", answers) or "…………"}
&emsp; Which score should rise? {_cell("the cat's", answers) or "…………"}</p>
<h2>2 · What does a mistake cost?</h2>
{_table(["use", "the image", "a miss costs", "a false alarm costs", "your numbers"], four, [14, 18, 27, 27, 14])}
<p>A miss costs <i>a</i>, a false alarm <i>b</i>. From which probability on is the alarm cheaper?
{
        _cell(
            "<i>p</i> · <i>a</i> &gt; (1 − <i>p</i>) · <i>b</i>, so from <i>b</i> / (<i>a</i> + <i>b</i>) on", answers
        )
        or "…………………………"
    }</p>
<h2>3 · The camera</h2>
<p>A million scenes, 1,000 of them unusual. 90 % of these are reported, and 1 % of the others.</p>
{
        _table(
            ["", "reported", "not reported"],
            [
                ["unusual", _cell(f"{found:,}", answers), _cell(f"{1000 - found:,}", answers)],
                ["usual", _cell(f"{false:,}", answers), _cell(f"{999_000 - false:,}", answers)],
            ],
            [30, 35, 35],
        )
    }
<p>Share of the alarms that are real: your guess ………… % &emsp; counted:
{_cell(f"{found:,} / {found + false:,} = {100 * found / (found + false):.1f} %", answers) or "………… %"}</p>
<h2>4 · A bet</h2>
<div class="bet">Order by accuracy, before lesson 1b runs: a fixed answer, class means, neighbours, logistic regression,
a small CNN, MobileNetV2.{
        " <span class='a'>Lesson 1b's table has the truth of the machine it ran on.</span>" if answers else ""
    }</div>"""
    return "1 · Concepts", body


def convolution(answers: bool) -> tuple[str, str]:
    """Lesson 03: a window by hand, the loops, bets, and an empty roof."""
    picture, kernel = matrices()
    given = torch.nn.functional.conv2d(picture[None, None].float(), kernel[None, None].float())[0, 0].int().tolist()
    empty = [[_cell(_signed(value), answers) for value in row] for row in given]
    loops = [
        ["N", "channels out", "4"], ["H<sub>out</sub>", "rows of the output", "6"],
        ["W<sub>out</sub>", "columns of the output", "6"], ["M", "channels in", "3"],
        ["K", "rows of the kernel", "3"], ["K", "columns of the kernel", "3"],
    ]  # fmt: skip
    loops = [[f"<b>{name}</b>", _cell(what, answers), _cell(size, answers)] for name, what, size in loops]
    bets = [["the image's size", "no: positions cancel"], ["channels in, M", "no: M cancels"],
            ["channels out, N", "yes: 1/N"], ["the kernel's side, K", "yes: 1/K²"]]  # fmt: skip
    bets = [[what, "", _cell(truth, answers)] for what, truth in bets]
    pair = _cell(f"3 · 36 · 9 + 4 · 36 · 3 = {3 * 36 * 9 + 4 * 36 * 3:,}", answers) or "…………………… = …………"
    body = f"""
<h2>1 · A window slides</h2>
<div class="side">{_grid(picture.tolist())}<span>∗</span>{_grid(kernel.tolist())}<span>=</span>{_grid(empty)}
<span>Multiplications in all: {_cell(4 * 9, answers) or "……"}</span></div>
<h2>2 · Six loops: 3 channels of 8 × 8 in, 4 channels out, 3 × 3, no padding</h2>
{_table(["loop", "what it counts", "here"], loops, [16, 60, 24], "low")}
<p>All together: {_cell(f"4 · 6 · 6 · 3 · 3 · 3 = {4 * 36 * 27:,}", answers) or "………………………… = …………"} MACs.
A depthwise and a pointwise layer instead: {pair}</p>
<h2>3 · Bets: does it change the ratio of the two?</h2>
{_table(["", "my bet (yes or no)", "the page says"], bets, [34, 28, 38], "low")}
<h2>4 · The roof of a machine: {PEAK / 1e9:g} thousand million MACs/s, {BANDWIDTH / 1e9:g} GB/s (lesson 3b)</h2>
<p>Draw the slope (bytes) and the flat top (multiplications). Where do they meet?
{_cell(f"at {PEAK / BANDWIDTH:g} MACs per byte", answers) or "…………"}
Place a depthwise layer (1.1 MACs per byte), a pointwise (28) and a dense one (45): as far up as each can be.</p>
{_roof(answers)}"""
    return "3 · Convolutions and the roof", body


def _roof(answers: bool) -> str:
    """Logarithmic axes, MACs per byte and thousand million MACs a second; with answers the roof on them."""
    wide, high, left, low = 150, 62, 14, 10
    x = lambda intensity: left + (wide - left - 3) * math.log2(intensity / 0.25) / 9  # noqa: E731
    y = lambda speed: high - low - (high - low - 4) * math.log2(speed / 2) / 6  # noqa: E731
    parts = []
    for power in range(-2, 8):
        at, label = x(2.0**power), f"{2.0**power:g}"
        parts.append(f'<line x1="{at:.1f}" y1="4" x2="{at:.1f}" y2="{high - low}" stroke="#ccc" stroke-width=".2"/>')
        parts.append(f'<text x="{at:.1f}" y="{high - low + 3.6}" text-anchor="middle">{label}</text>')
    for power in range(1, 8):
        at = y(2.0**power)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{wide - 3}" y2="{at:.1f}" stroke="#ccc" stroke-width=".2"/>')
        parts.append(f'<text x="{left - 1.5}" y="{at + 1:.1f}" text-anchor="end">{2**power}</text>')
    parts.append(f'<text x="{(wide + left) / 2}" y="{high - 1.5}" text-anchor="middle">MACs per byte</text>')
    parts.append(
        f'<text transform="translate(3.4 {(high - low) / 2 + 2}) rotate(-90)" text-anchor="middle">10⁹ MACs/s</text>'
    )
    if answers:
        corner, top = PEAK / BANDWIDTH, PEAK / 1e9
        points = [(0.25, 0.25 * BANDWIDTH / 1e9), (corner, top), (128, top)]
        path = " ".join(f"{x(i):.1f},{y(s):.1f}" for i, s in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="#006b4e" stroke-width=".7"/>')
        for name, intensity in (("depthwise", 1.1), ("pointwise", 28), ("dense", 45)):
            at = x(intensity), y(min(top, intensity * BANDWIDTH / 1e9))
            parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="1.1" fill="#006b4e"/>')
            side, away = ("end", -1.5) if name == "pointwise" else ("start", 1.5)
            parts.append(f'<text x="{at[0] + away:.1f}" y="{at[1] + 4:.1f}" text-anchor="{side}">{name}</text>')
    alt = "Axes for a roofline, both logarithmic" + (", with the roof and three layers on it" if answers else ", empty")
    return (f'<svg role="img" aria-label="{alt}" width="{wide}mm" height="{high}mm" viewBox="0 0 {wide} {high}" '
            f'font-family="Arial, sans-serif" font-size="2.9">{"".join(parts)}</svg>')  # fmt: skip


def mistakes(answers: bool) -> tuple[str, str]:
    """Lesson 08: the silent mistakes with empty columns, or what lesson 8b's table says."""
    from helpers.lessons.lesson_08.mistakes import table

    lines = [[part.strip() for part in line.strip().strip("|").split("|")] for line in table().splitlines()]
    rows = []
    for number, name, code, notice, points, _, images, harmless in lines[2:]:
        code, points = (words(text, ROOT).removeprefix("<p>").strip().removesuffix("</p>") for text in (code, points))
        cost = re.sub(r"-(?=\d)", "−", f"{points}<br>({images})")
        rows.append([number, re.sub(r" \([\d, ]+\)$", "", name), code, "", _cell(notice, answers), _cell(cost, answers),
                     _cell(harmless.replace("-", "−"), answers)])  # fmt: skip
    body = f"""
<p>None of these stops the program. Your guess first: what does each make of the reported accuracy, in points?
Up or down? Then look it up in the table of lesson 8b.</p>
{
        _table(
            [
                "",
                "mistake",
                "in code",
                "my guess",
                "how would one notice?",
                "measured points (over images)",
                "where harmless",
            ],
            rows,
            [4, 20, 20, 10, 20, 15, 11],
        )
    }
<h2>Three questions</h2>
<p>Which of them make the accuracy look better than it is? {
        _cell(", ".join(line[0] for line in lines[2:] if "+" in line[4]), answers) or "…………………………"
    }</p>
<p>For which is the interval over images wider than the cost itself, so that these images do not settle its sign?
{_cell(_unsettled(lines), answers) or "…………………………"}</p>
<h2>My own project</h2>
<div class="bet">Which two of the eight could be in it, and what would I have to run to know?</div>
<div class="lines"><i></i><i></i><i></i></div>"""
    return "8 · Silent mistakes", body


def _unsettled(lines: list[list[str]]) -> str:
    """The numbers of mistakes whose interval over images holds 0."""
    found = []
    for number, *_, images, _ in lines[2:]:
        low, high = (float(text) for text in images.split(" to "))
        found += [number] if low <= 0 <= high else []
    return ", ".join(found) or "none"


SHEETS = {"01": costs, "03": convolution, "08": mistakes}
