"""Appendix A: the published rows, the recount, the conventions, and the explorer.

The definitions are taken out of the notebook itself, so that what is tested is what the reader runs.
"""

import csv
import json
import re
from collections import Counter
from itertools import chain

import matplotlib.pyplot as plt
import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from helpers import DATA, ROOT
from helpers.exercises import exercise
from helpers.lessons.appendix_a import networks
from helpers.lessons.appendix_a.plots import draw_differences
from helpers.models import V1_BLOCKS, mobilenet_v2
from helpers.plots import COLOURS

NOTEBOOK = ROOT / "notebooks" / "appendix_a_published_tables.ipynb"
SHOWS = ("plots.show(", "explorer", "check(")  # cells that draw, show a widget or ask


def code_cells():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


@pytest.fixture(scope="module")
def lesson():
    """The names that the notebook defines, after running its cells (without pictures, widgets and exercises)."""
    names = {}
    for cell in code_cells():
        text = source(cell)
        if "import helpers" in text:
            text = re.sub(r"(?m)^from helpers\.\S+ import (check|audit_explorer)$", "", text)
        elif any(word in text for word in SHOWS):
            continue
        exec(compile(text, NOTEBOOK.name, "exec"), names)
    return names


def stored_output(fragment):
    """What the committed notebook prints under the one cell that contains `fragment`."""
    (cell,) = [cell for cell in code_cells() if fragment in source(cell)]
    return "".join("".join(out.get("text", [])) for out in cell["outputs"])


def row_of(lesson, family, width, resolution, where):
    (row,) = [
        row
        for row in lesson["rows"]
        if (row["family"], row["width"], row["resolution"]) == (family, width, resolution) and where in row["source"]
    ]
    return row


# --- the data ---------------------------------------------------------------------------------------------------------


def test_every_row_has_a_source_and_numbers_that_can_be_read():
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 51
    assert Counter(re.search(r"arXiv:[\d.]+|nets/\S+", row["source"])[0] for row in rows) == {
        "arXiv:1704.04861": 7,
        "arXiv:1801.04381": 2,
        "nets/mobilenet_v1.md": 16,
        "nets/mobilenet/README.md": 26,
    }
    for row in rows:
        assert re.fullmatch(r"[1-9]\d*", row["mmacs"]), f"whole millions, as printed: {row}"
        assert re.fullmatch(r"\d\.\d{1,2}", row["mparams"]), f"one or two decimals, as printed: {row}"
        assert 40 < float(row["top1"]) < (float(row["top5"]) if row["top5"] else 80), row
    keys = [(row["family"], row["width"], row["resolution"], row["source"]) for row in rows]
    assert len(set(keys)) == 51, "a row stands twice"


def test_the_datasheet_names_every_file_and_what_is_unsure():
    text = (DATA / "published" / "README.md").read_text(encoding="utf-8")
    for file in (DATA / "published").glob("*.csv"):
        assert f"`{file.name}`" in text
    assert "without the paper" in text and "nine rows" in text and "confirmed by third parties" in text


# --- the counts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["0.25", "0.5", "0.75", "1"])
@pytest.mark.parametrize("size", ["128", "160", "192", "224"])
def test_v1_is_counted_as_by_hand(lesson, width, size):
    channels, side = int(32 * float(width)), int(size) // 2
    first = macs = 27 * channels * side**2
    params, normed = 27 * channels, channels
    for out, stride in V1_BLOCKS:
        out, side = int(out * float(width)), side // stride
        macs += (9 * channels + channels * out) * side**2
        params += 9 * channels + channels * out
        normed += channels + out
        channels = out
    pooling = channels * side**2
    params += 2 * normed + 1000 * channels + 1000
    expected = networks.Parts(macs + 1000 * channels, first, pooling, params, normed)
    assert lesson["parts"]("mobilenet_v1", width, size) == expected


@pytest.mark.parametrize(("width", "size"), [("0.35", "96"), ("1", "224"), ("1.4", "224")])
def test_v2_is_counted_as_by_torch(lesson, width, size):
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        mobilenet_v2(float(width)).eval()(torch.empty(1, 3, int(size), int(size)))
    assert lesson["parts"]("mobilenet_v2", width, size).macs == counter.get_total_flops() // 2


def test_released_v3_differs_from_torchvision_where_it_should_and_only_there():
    with torch.device("meta"):
        released, ours = networks.released_v3("large", 1.0), torchvision.models.mobilenet_v3_large()
        narrow = networks.released_v3("large", 0.75)
    assert {k: v.shape for k, v in released.state_dict().items()} == {k: v.shape for k, v in ours.state_dict().items()}
    # Block 2 by hand: 24·0.75 = 18 becomes 24 (16 is more than a tenth too small), then three times as many: 72.
    assert narrow.features[3].block[0][0].weight.shape == (72, 24, 1, 1)
    assert narrow.classifier[0].out_features == 1280


# --- digits and verdicts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "printed", "digits", "expected"),
    [
        (300_774_272, "300", "rounded", "301"),
        (300_774_272, "300", "cut off", "300"),
        (2_500_000, "3", "rounded", "3"),  # half goes up, as on paper; Python's round would give 2
        (4_204_999, "4.20", "rounded", "4.20"),
        (4_204_999, "4.2", "rounded", "4.2"),
        (3_995_000, "4.00", "rounded", "4.00"),
        (3_999_999, "3.99", "cut off", "3.99"),
    ],
)
def test_digits(lesson, count, printed, digits, expected):
    assert lesson["show"](count, printed, digits) == expected


def test_the_open_rows_are_these_three(lesson):
    open_rows = [
        (e["family"], e["width"], e["mmacs"], e["macs_by"], e["params_by"])
        for e in lesson["audit"]
        if e["verdict"] == "open"
    ]
    assert open_rows == [
        ("mobilenet_v1", "0.25", "34", "open", "3 BN vectors, rounded"),
        ("mobilenet_v2", "1.4", "585", "open", "open"),
        ("mobilenet_v3_small", "1", "66", "open", "released: 3 BN vectors, cut off"),
    ]


@pytest.mark.parametrize(
    ("row", "altered"),
    [
        (("mobilenet_v1", "1", "224", "1704.04861"), {"mmacs": "529"}),  # as Keras' documentation prints it
        (("mobilenet_v1", "0.75", "224", "release"), {"mmacs": "371"}),
        (("mobilenet_v1", "0.5", "224", "release"), {"mmacs": "151"}),
        (("mobilenet_v2", "1", "224", "release"), {"mparams": "3.74"}),
        (("mobilenet_v2", "1", "224", "release"), {"mparams": "3.48"}),
        (("mobilenet_v2", "0.35", "96", "release"), {"mmacs": "13"}),
        (("mobilenet_v3_large", "0.75", "224", "release"), {"mmacs": "156"}),
        (("mobilenet_v3_large", "0.75", "224", "release"), {"mparams": "3.8"}),
        (("mobilenet_v1", "1", "224", "1704.04861"), {"mparams": "5.2"}),  # one matching number is not enough
        (("mobilenet_v1", "1", "224", "1704.04861"), {"mparams": "4.20"}),  # 4.2 fits; 4.20 would be another claim
    ],
)
def test_an_altered_number_is_no_longer_reproduced(lesson, row, altered):
    row = row_of(lesson, *row)
    assert lesson["judge"](row)["verdict"] != "open"
    assert lesson["judge"]({**row, **altered})["verdict"] == "open"


def test_a_row_that_only_another_convention_reproduces_says_so(lesson):
    row = row_of(lesson, "mobilenet_v2", "1", "192", "release")  # 221.317: rounded and cut off alike
    assert lesson["judge"](row)["verdict"] == "by its table's convention"
    row = row_of(lesson, "mobilenet_v2", "1", "224", "release")  # 300.774, cut off as all of its table
    rounded = lesson["judge"]({**row, "mmacs": "301"})
    assert (rounded["macs_by"], rounded["verdict"]) == ("all, rounded", "only by another convention")
    assert lesson["judge"]({**row, "mmacs": "301", "mparams": "9.99"})["verdict"] == "open"


def test_each_table_has_the_convention_that_reproduces_most_of_it(lesson):
    for (table, key), name in lesson["rule"].items():
        mine = [row for row in lesson["rows"] if networks.table_of(row) == table]
        hits = {
            n: sum(lesson["conventions"](row, key).get(n) == row[key] for row in mine) for n in lesson["names"][key]
        }
        assert hits[name] == max(hits.values()) and name == max(hits, key=hits.get)
    assert lesson["rule"]["V2 release", "mmacs"] == "all, cut off"


def test_the_order_is_the_documented_one(lesson):
    row = row_of(lesson, "mobilenet_v3_small", "1", "224", "release")
    names = list(lesson["conventions"](row, "mmacs"))
    assert names[:3] == ["all, rounded", "all, cut off", "no first conv, rounded"]
    assert len(names) == 12 and all(name.startswith("released: ") for name in names[6:])


def test_verdicts_are_what_the_notebook_prints(lesson):
    text = stored_output("most_common():")
    printed = {what: int(n) for n, what in re.findall(r"(\d+) of 51 rows: (.+)", text)}
    counted = dict(Counter(e["verdict"] for e in lesson["audit"]))
    assert printed == counted == {"by its table's convention": 43, "only by another convention": 5, "open": 3}
    assert len(text.splitlines()) == 3 + 3 + 8, "the eight rows that their table does not explain are listed"


def test_chance_of_luck_by_hand(lesson):
    row = row_of(lesson, "mobilenet_v1", "0.25", "224", "1704")
    assert lesson["reached"](row, "mparams", 0.1) == 1, "any number near it prints as 0.5"
    row = row_of(lesson, "mobilenet_v1", "1", "224", "1704")
    # 512 to 625 lie within 10 % of 568.74; all, and with pooling: 569, 568; without the first convolution: 558, 557.
    assert lesson["reached"](row, "mmacs", 0.1) == pytest.approx(4 / (625 - 512 + 1))
    assert networks.nearby(568_740_352, "569", 0.01) == [str(n) for n in range(564, 575)]
    assert networks.nearby(470_072, "0.5", 0.1) == ["0.5"]


def test_table_2_differs_in_one_place(lesson):
    shares = {"mult_adds_percent": lesson["macs_share"], "parameters_percent": lesson["weights_share"]}
    differs = [
        (row["layer"], column)
        for row in lesson["table2"]
        for column, ours in shares.items()
        if f"{ours[row['layer']]:.2f}" != row[column]
    ]
    assert differs == [("first convolution", "mult_adds_percent")]
    assert all(sum(ours.values()) == pytest.approx(100) for ours in shares.values())


def test_values_written_by_hand():
    with torch.device("meta"):
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, stride=2, padding=1), torch.nn.BatchNorm2d(5))
    assert networks.values_written(model, torch.nn.BatchNorm2d, 16) == 5 * 8 * 8
    assert networks.values_written(model, torch.nn.ReLU, 16) == 0


# --- the exercises ----------------------------------------------------------------------------------------------------


def test_the_keys_are_right_by_another_way(lesson):
    # A.2: width 0.75 of 32 channels, 27 weights each, at 80 × 80 positions
    assert exercise("A.2").answer == sum(27 for _ in range(24)) * 80**2
    fits = 0
    for row in lesson["rows"]:
        if networks.table_of(row) == "V1 release":
            count = lesson["parts_of"](row).macs
            fits += -(-count // 10**6) == int(row["mmacs"])
    assert exercise("A.3").answer == fits
    model = torchvision.models.mobilenet_v2()
    total = sum(p.numel() for p in model.parameters()) + sum(
        b.numel() for name, b in model.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    assert exercise("A.1").reference(model) == total == 3_538_984
    for count, printed, right in ((300_774_272, "300", True), (301_500_000, "302", True), (301_500_000, "300", False)):
        assert exercise("A.4").reference(count, printed) is right
        assert (printed in (f"{count / 1e6:.0f}", str(count // 10**6))) is right


# --- the figure -------------------------------------------------------------------------------------------------------


def test_the_figure_has_every_row_where_it_belongs(lesson):
    figure = draw_differences(lesson["audit"])
    for axis, (printed, counted) in zip(figure.axes, (("mmacs", "macs"), ("mparams", "params")), strict=True):
        lines = axis.get_lines()[:4]
        assert [line.get_label() for line in lines] == [f"MobileNet {n}" for n in ("v1", "v2", "v3 large", "v3 small")]
        drawn = [(x, y) for line in lines for x, y in zip(*line.get_data(), strict=True)]
        expected = [
            (e[counted] / 1e6, 100 * (float(e[printed]) - e[counted] / 1e6) / (e[counted] / 1e6))
            for e in lesson["audit"]
        ]
        assert sorted(drawn) == [pytest.approx(point) for point in sorted(expected)]
        assert len(lines[0].get_xdata()) == 23
    plt.close(figure)


# --- the explorer -----------------------------------------------------------------------------------------------------


@pytest.fixture
def explorer(lesson):
    from helpers.lessons.appendix_a import audit_explorer

    return audit_explorer(lesson["audit"])


def test_explorer_turns_both_menus(lesson, explorer):
    assert explorer.result.rows == lesson["audit"]
    for family in (*dict.fromkeys(row["family"] for row in lesson["rows"]), "all"):
        for verdict in ("by its table's convention", "only by another convention", "open", "all"):
            explorer.set(family=family, verdict=verdict)
            expected = [
                e for e in lesson["audit"] if family in ("all", e["family"]) and verdict in ("all", e["verdict"])
            ]
            assert explorer.result.rows == expected and explorer.error == ""


def test_explorer_leafs_through_all_rows_and_begins_again(lesson, explorer):
    from helpers.lessons.appendix_a.explorer_audit import LINES

    pages = -(-len(lesson["audit"]) // LINES)
    listed = [explorer.set(clicks=click).result.listed for click in range(pages)]
    assert list(chain(*listed)) == lesson["audit"] and all(len(page) <= LINES for page in listed)
    assert explorer.set(clicks=pages).result.listed == listed[0] and f"Listed: 1 to {LINES}." in explorer.words.value
    assert "Listed: 49 to 51." in explorer.set(clicks=pages - 1).words.value
    assert explorer.alt.count(" at ") == 3 and "<" not in explorer.alt


def test_explorer_shows_as_many_lines_as_rows(lesson):
    from helpers.lessons.appendix_a.explorer_audit import select, table_html

    some = select(lesson["audit"], "mobilenet_v1", "open")
    assert table_html(some).count("<tr ") == len(some.rows) == 1
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table_html(some))
    macs_by, params_by = some.rows[0]["macs_by"], some.rows[0]["params_by"]
    expected = ["v1 0.25 at 192", "34, 30.21", macs_by, "0.47, 0.470", params_by, "open"]
    assert cells == expected and macs_by != params_by


def test_open_rows_are_bold_and_no_others(lesson):
    from helpers.lessons.appendix_a.explorer_audit import select, table_html

    for verdict, weight, other in (("open", "bold", "normal"), ("only by another convention", "normal", "bold")):
        html = table_html(select(lesson["audit"], verdict=verdict))
        assert html.count(f"font-weight:{weight}") == html.count("<tr ") > 2
        assert f"font-weight:{other}" not in html
    assert "3 open." in table_html(select(lesson["audit"]))


def test_explorer_draws_every_row_and_marks_the_chosen(lesson, explorer):
    picture = explorer._screen.picture  # the page's own, moved from state to state
    panels = picture.figure.axes
    for verdict, counts in (("open", [0, 0, 3]), ("all", [43, 5, 3]), ("only by another convention", [0, 5, 0])):
        picture.update(explorer.set(verdict=verdict).result)
        for axis, printed, counted in zip(panels, ("mmacs", "mparams"), ("macs", "params"), strict=True):
            grey, *marks, ring = axis.lines[:5]
            assert len(grey.get_xdata()) == 51 and [len(line.get_xdata()) for line in marks] == counts
            for line in marks:
                mine = [e for e in explorer.result.rows if e["verdict"] == line.get_label()]
                assert list(line.get_xdata()) == pytest.approx([e[counted] / 1e6 for e in mine])
                away = [100 * (float(e[printed]) * 1e6 / e[counted] - 1) for e in mine]
                assert list(line.get_ydata()) == pytest.approx(away)
            listed = [e[counted] / 1e6 for e in explorer.result.listed]
            assert list(ring.get_xdata()) == pytest.approx(listed), "a ring around each row of the table"
    grey, *marks, ring = panels[0].lines[:5]
    looks = [(line.get_label(), line.get_color().upper(), line.get_marker()) for line in marks]
    assert looks == [
        ("by its table's convention", COLOURS["blue"], "o"),
        ("only by another convention", COLOURS["orange"], "s"),
        ("open", COLOURS["vermillion"], "X"),
    ], "as the picture's words say"
    names = [text.get_text() for text in explorer.figure().legends[0].get_texts()]
    assert names == [*(name for name, *_ in looks), "listed"]
    picture.update(explorer.set(verdict="open").result)
    assert marks[2].get_xydata()[0].tolist() == pytest.approx([30.2126, 12.5], rel=0.01)


def test_explorer_says_what_is_wrong(lesson, explorer):
    from helpers.lessons.appendix_a.explorer_audit import audit_explorer

    with pytest.raises(ValueError, match="family cannot be 'mobilenet_v9'"):
        explorer.set(family="mobilenet_v9")

    with pytest.raises(ValueError, match="at least one entry"):
        audit_explorer([])
    entry = {k: v for k, v in lesson["audit"][0].items() if k != "macs_by"}
    with pytest.raises(ValueError, match="entry 0 of the audit lacks macs_by"):
        audit_explorer([entry])
    with pytest.raises(ValueError, match="verdict 'explained'"):
        audit_explorer([{**lesson["audit"][0], "verdict": "explained"}])
