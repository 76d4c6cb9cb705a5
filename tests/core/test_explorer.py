"""Every control of every explorer, turned through its range without a browser; and the shell they share."""

import asyncio
import io
import random
import re
import threading
import time
import types
from functools import partial
from importlib import import_module

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from helpers import explorer as shell
from helpers.explorer import Explorer, Picture, Veil, counting_button, look, menu, picture, slider, toggle
from helpers.lessons import EXPLORERS, lesson_03


def states(control) -> list:
    """The values a test tries: all of a menu, three of a slider, three clicks."""
    if hasattr(control, "options"):
        return [value for _, value in control._options_full]
    if hasattr(control, "min"):
        middle = control.min + control.step * round((control.max - control.min) / 2 / control.step)
        return [control.min, middle, control.max]
    return [1, 2, 3] if isinstance(control, widgets.Button) else [False, True]


def turnable(explorer) -> dict:
    """The controls that a test can turn: all but uploads."""
    return {name: one for name, one in explorer.controls.items() if not isinstance(one, widgets.FileUpload)}


def build(name: str, **options) -> Explorer:
    module = import_module(EXPLORERS[name])
    return getattr(module, "example" if hasattr(module, "example") else name)(**options)


# bytes stand in the table; the chart greys what is too large for a limit of bytes, and at first there is none
ONLY_WORDS = {"bits"}


@pytest.fixture(scope="module", params=EXPLORERS)
def explorer(request):
    return build(request.param)


def test_every_control_changes_picture_and_text(explorer):
    start, seconds = explorer.values, []
    for name, control in turnable(explorer).items():
        pictures, texts, alts = set(), set(), set()
        for value in states(control):
            explorer.set(**{name: value})
            seconds.append(explorer.seconds)
            pictures.add(explorer.png)
            texts.add(explorer.words.value)
            alts.add(explorer.alt)
            assert explorer.error == "" and explorer.words.value.strip() and explorer.png.startswith(b"\x89PNG")
        explorer.set(**start)
        assert len(pictures) > 1 or name in ONLY_WORDS, f"turning {name} does not change the picture"
        assert len(texts) > 1, f"turning {name} does not change the text"
        assert len(alts) > 1, f"turning {name} does not change what a screen reader says"
    print(f"\n{len(seconds)} changes, median {sorted(seconds)[len(seconds) // 2]:.3f} s, at most {max(seconds):.3f} s")


def test_a_state_shows_no_trace_of_the_last(explorer):
    """However the controls were turned, the page shows what a fresh picture of this state shows."""
    start, dice = explorer.values, random.Random(0)
    for _ in range(6):
        turned = {name: dice.choice(states(control)) for name, control in turnable(explorer).items()}
        explorer._states.clear()
        seen = explorer.set(**turned).png
        fresh = picture.Screen(explorer._screen._make).png(explorer.result)
        assert seen == fresh, f"with {turned} the page differs from a fresh picture"
    explorer._states.clear()
    assert explorer.set(**start).png == picture.Screen(explorer._screen._make).png(explorer.result)


def test_the_figure_for_paper_is_the_picture_of_the_page(explorer):
    before = plt.get_fignums()
    figure = explorer.figure()
    assert isinstance(figure, Figure) and figure is not explorer.figure() and plt.get_fignums() == before
    width, height = figure.get_size_inches() * shell.PIXELS_PER_INCH
    assert width <= 960 and height <= 400, "larger than what stands on a small screen beside controls and text"
    file = io.BytesIO()
    figure.savefig(file, dpi=shell.PIXELS_PER_INCH * picture.SHARPNESS)
    paper, page = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in (file.getvalue(), explorer.png))
    assert np.abs(paper.astype(int) - page).mean() < 0.5


# ------------------------------------------------------------------------------------------------ the shell


class Bar(Picture):
    """One bar, as high as the result; built once."""

    built = 0

    def __init__(self):
        Bar.built += 1
        self.figure = Figure(figsize=(2, 1), layout="none")
        axes = self.figure.subplots()
        axes.set(ylim=(0, 70))
        (self.bar,) = axes.bar([0], [1])
        self.moving = [self.bar]

    def update(self, result) -> None:
        self.bar.set_height(result)


class Ruled(Bar):
    """A bar that moves over a rule that is elsewhere for every ten."""

    def __init__(self):
        super().__init__()
        self.rule = self.figure.axes[0].axhline(0, color="black")
        self.settled = [self.rule]

    def update(self, result) -> None:
        super().update(result)
        self.still = result // 10
        self.rule.set_ydata(2 * [10 * self.still + 5])


def test_the_ground_is_painted_once_and_what_is_settled_over_it_once_a_still(monkeypatch):
    drawn, drawn_rule = [], []
    draw, rule = picture.FigureCanvasAgg.draw, picture.Figure.draw_artist
    monkeypatch.setattr(picture.FigureCanvasAgg, "draw", lambda canvas: (drawn.append(canvas), draw(canvas)))
    screen = picture.Screen(Ruled)

    def counted(figure, artist):
        if artist is screen.picture.rule:
            drawn_rule.append(artist.get_ydata()[0])
        rule(figure, artist)

    monkeypatch.setattr(picture.Figure, "draw_artist", counted)
    for result in (11, 12, 31, 13, 32):
        seen = screen.png(result)
        assert seen == picture.Screen(Ruled).png(result)
    assert len([canvas for canvas in drawn if canvas is screen.picture.figure.canvas]) == 1
    assert drawn_rule == [15, 35]
    for result in range(0, 10 * (picture.RESTS + 3), 10):
        screen.png(result)
    assert len(screen._rests) == picture.RESTS, "the oldest are forgotten"
    assert screen.png(11) == picture.Screen(Ruled).png(11)


def small(compute=lambda number, word, again: number * 10 + len(word) + again, picture=Bar, **more) -> Explorer:
    controls = {"number": slider("n", 0, 5, 2), "word": menu("w", ["a", "bb"], "a"), "again": counting_button("again")}
    return Explorer(controls, compute, picture, lambda result: f"<b>{result}</b>", **more)


def refuse_five(number, word, again):
    if number == 5:
        raise ValueError("<five> is too much")
    return number


def shown(explorer) -> tuple[str, str]:
    """(the words, the picture's alternative text) as they went to the page."""
    return explorer.words.value, re.search(r'alt="([^"]*)"', explorer.picture.value)[1]


def test_a_legend_of_the_whole_figure_covers_no_panel(explorer):
    figure = explorer.figure()
    figure.canvas.draw()
    for legend in figure.legends:
        box = legend.get_window_extent()
        for axis in figure.axes:
            assert not box.overlaps(axis.get_tightbbox().padded(-1)), axis.get_title()


def test_a_number_at_a_logarithmic_axis_stands_where_it_says(explorer):
    figure = explorer.figure()
    figure.canvas.draw()
    for axis in [axes_.xaxis for axes_ in figure.axes] + [axes_.yaxis for axes_ in figure.axes]:
        labels = [label.get_text() for label in axis.get_ticklabels()] if axis.get_scale() == "log" else []
        for place, label in zip(axis.get_ticklocs(), labels, strict=True) if labels else ():
            if re.fullmatch(r"[\d.]+", label):
                assert float(label) == pytest.approx(place), axis.get_label_text()


def test_no_text_of_a_picture_is_cut_off(explorer):
    figure = explorer.figure()
    figure.canvas.draw()
    room = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        shown = text.get_visible() and text.get_text().strip() and not text.get_clip_on()
        box = text.get_window_extent() if shown else None
        if box is not None and isinstance(text.axes, Axes) and _is_far_tick(text):
            continue
        assert box is None or (room.contains(*box.min) and room.contains(*box.max)), text.get_text()


def _is_far_tick(text: Text) -> bool:
    """Labels of ticks beyond the axis's limits exist, but are not drawn."""
    ticks = [*text.axes.xaxis.get_ticklabels(which="both"), *text.axes.yaxis.get_ticklabels(which="both")]
    if text not in ticks:
        return False
    x, y = text.get_position()
    low, high = sorted(text.axes.get_xlim())
    bottom, top = sorted(text.axes.get_ylim())
    return not (low <= x <= high or bottom <= y <= top)


def test_a_click_and_set_do_the_same():
    clicked, driven = small(), small()
    clicked.controls["number"].value = 4
    clicked.controls["word"].value = "bb"
    clicked.controls["again"].click()
    driven.set(number=4, word="bb", again=1)
    assert clicked.result == driven.result == 43 and clicked.png == driven.png
    assert shown(clicked) == shown(driven) == ("<b>43</b>", "43")


def test_set_computes_once_and_a_state_seen_before_not_at_all():
    calls = []
    one = small(lambda **values: calls.append(values) or values["number"])
    one.set(number=1, word="bb", again=5)
    assert calls[2:] == [{"number": 1, "word": "bb", "again": 5}]
    one.set(number=2)
    seen = one.png
    one.set(number=1).set(number=2)
    assert len(calls) == 4 and one.png == seen and one.result == 2


def test_changes_in_two_threads_are_drawn_one_after_the_other():
    """JupyterLab sends a widget's first change to one thread, and the next to another while it is being drawn."""
    inside, most = [], []

    def slow(**values):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return values["number"] + values["again"]

    one, other = small(slow), small(slow)
    most.clear()
    turns = [
        threading.Thread(target=lambda: [one.set(again=again) for again in range(1, 8)]),
        threading.Thread(target=lambda: [setattr(one.controls["number"], "value", n) for n in (1, 3, 4)]),
        threading.Thread(target=lambda: [other.set(again=again) for again in range(1, 8)]),
    ]
    for turn in turns:
        turn.start()
    for turn in turns:
        turn.join()
    assert len(most) >= 14 and set(most) == {1}, "two states were computed at once"
    assert one.result == 11 and one.png == small(slow).set(number=4, again=7).png


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(shell, "REMEMBERED", 3)
    one = small()
    for again in range(9):
        one.set(again=again)
    assert len(one._states) == 3 and one.set(again=0).result == 21


def test_the_figure_is_built_once():
    one = small()
    Bar.built = 0
    for number in (1, 3, 5):
        one.set(number=number)
    assert Bar.built == 0 and one.figure() and Bar.built == 1


def test_an_error_is_shown_to_the_reader_and_raised_by_set_and_the_picture_stays():
    one = small(refuse_five)
    png, result = one.png, one.result
    with pytest.raises(ValueError, match="<five> is too much"):
        one.set(number=5)
    assert one.error == "ValueError: <five> is too much"
    assert "&lt;five&gt; is too much" in one.words.value and "explorer-error" in one.words.value
    assert one.png == png and one._result == result == 2
    one.controls["number"].value = 3  # the next good click mends it
    assert one.error == "" and one.words.value == "<b>3</b>" and one.png != png
    with pytest.raises(ValueError, match="<five>"):
        one.controls["number"].value = 5  # in a cell or a script, this line fails
    assert "explorer-error" in one.words.value


def test_errors_of_picture_and_text_are_shown_too():
    one = small()
    one._screen.picture.update = lambda result: 1 / 0
    with pytest.raises(ZeroDivisionError):
        one.set(number=4)
    assert "explorer-error" in one.words.value and one._result == 21


def test_what_cannot_be_set_is_named():
    one = small()
    unknown = "no control 'width'; there are number, word"
    for values, words in [({"width": 1}, unknown), ({"number": 9}, "from 0 to 5"), ({"word": "c"}, "from a, bb")]:
        with pytest.raises(ValueError, match=words):
            one.set(**values)


def test_a_default_state_that_fails_is_no_explorer():
    with pytest.raises(ZeroDivisionError):
        small(lambda **values: 1 / 0)


def test_the_controls_look_alike_and_hold_what_is_asked():
    assert isinstance(slider("a", 0.0, 1.0, 0.5), widgets.FloatSlider) and isinstance(
        slider("a", 1, 9, 5), widgets.IntSlider
    )
    assert slider("a", options=[0.25, 0.5], value=0.5).value == 0.5 and toggle("a", ["x", "y"], "y").value == "y"
    made = [slider("a", 1, 9, 5), slider("a", options=[1, 2], value=1), menu("a", [1], 1), toggle("a", [1], 1)]
    assert {control.description for control in made} == {"a"}


def test_an_explorer_that_does_not_exist_is_named():
    with pytest.raises(AttributeError, match="no 'zzz'"):
        lesson_03.zzz  # noqa: B018


def test_what_helps_against_dead_controls_is_an_output_of_its_own(monkeypatch):
    """The next day only "model not found" is left of the widget; the sentence beside it must not go with it."""
    seen = []
    monkeypatch.setattr(shell, "display", lambda what, raw=False: seen.append(what))
    small()._ipython_display_()
    widget, remedy = seen
    assert "application/vnd.jupyter.widget-view+json" in widget and "first state" in widget["text/plain"]
    assert "Run All Above Selected Cell" in remedy.data


# ------------------------------------------------------------------------------------------- a hand on the page


@pytest.fixture
def page(monkeypatch):
    """page(f): run f while the kernel answers messages of a page, then let the event loop come to rest."""

    def run(hands) -> None:
        async def session():
            monkeypatch.setattr(shell, "_page", asyncio.get_running_loop)
            found = hands()
            if asyncio.iscoroutine(found):
                await found
            await asyncio.sleep(0.3)

        asyncio.run(session())
        monkeypatch.undo()

    return run


def test_a_storm_is_drawn_once_with_the_newest_values(page):
    calls, during = [], []
    one = small(lambda **values: calls.append(dict(values)) or values["number"])
    before = len(calls)

    def storm():
        for number in (0, 1, 5, 4, 3):
            one.controls["number"].value = number
        for _ in range(10):
            one.controls["again"].click()
        during.append(len(calls))

    page(storm)
    assert during == [before], "a change only marks"
    assert calls[before:] == [{"number": 3, "word": "a", "again": 10}] and one.words.value == "<b>3</b>"


def test_a_result_that_is_read_is_up_to_date(page):
    one, read = small(), []

    def hands():
        one.controls["number"].value = 5
        read.append((one.words.value, one.result, one.words.value))

    page(hands)
    assert read == [("<b>21</b>", 51, "<b>51</b>")]


def test_an_error_under_a_hand_is_seen_and_raises_nothing(page):
    one = small(refuse_five)
    page(lambda: setattr(one.controls["number"], "value", 5))
    assert "explorer-error" in one.words.value and one.error


def test_only_messages_of_the_page_are_put_off(monkeypatch):
    def kernel(kind):
        parent = {"header": {"msg_type": kind}} if kind else {}
        return lambda: types.SimpleNamespace(kernel=types.SimpleNamespace(get_parent=lambda: parent))

    async def found(kind):
        monkeypatch.setattr(shell, "get_ipython", kernel(kind))
        return shell._page()

    assert asyncio.run(found("comm_msg")) and not asyncio.run(found("execute_request"))
    assert not asyncio.run(found(None)) and shell._page() is None
    monkeypatch.undo()
    assert shell._page() is None


# ------------------------------------------------------------------------------------------- buttons


def test_a_slow_action_says_that_it_works_and_computes_again():
    seen, found = [], {}
    one = small(lambda **values: found.get("time", 0), actions={"Measure": lambda number, **rest: measure(number)})
    button = one.buttons["Measure"]

    def measure(number):
        seen.append((button.disabled, button.description))
        found["time"] = number * 10
        return f"n = {number}: <b>{number * 10}</b>"

    assert one.act("Measure").result == 20 and seen == [(True, "measuring…")]
    assert "n = 2: <b>20</b>" in one.words.value and one.note
    assert not button.disabled and button.description == "Measure"
    one._actions["Measure"] = lambda **values: 1 / 0
    with pytest.raises(ZeroDivisionError):
        one.act("Measure")
    assert "ZeroDivisionError" in one.words.value and not button.disabled and button.description == "Measure"
    with pytest.raises(ValueError, match="no button 'x'; there are Measure"):
        one.act("x")


def test_what_a_button_finds_belongs_to_the_choice_it_was_started_for(page):
    """The slider moves while the button works: what it finds stays with the old choice, and says so."""
    found = {}

    def measure(number, **rest):
        for part in range(3):
            found[number] = part
            yield
        return f"measured for n = {number}"

    one = small(lambda number, **rest: found.get(number, 50), actions={"Measure": measure})

    async def hands():
        one.buttons["Measure"].click()
        one.buttons["Measure"].click()  # a second press meanwhile starts nothing
        await asyncio.sleep(0.05)
        one.controls["number"].value = 4

    page(hands)
    assert found == {2: 2} and one.result == 50 and one.set(number=2).result == 2
    assert "measured for n = 2" in one.words.value and not one.buttons["Measure"].disabled


@pytest.mark.parametrize("pause", [0, 0.05])
def test_a_button_pressed_while_another_works_has_its_turn_next(page, pause):
    """The page learns only later that its buttons are off; what was pressed until then is not lost."""
    started = []

    def slowly(number, **_):
        started.append(("Slowly", number))
        for _ in range(12):
            yield
        started.append("done")

    one = small(actions={"Slowly": slowly, "Keep": lambda number, **_: started.append(("Keep", number))})

    async def hands():
        one.buttons["Slowly"].click()
        await asyncio.sleep(pause)
        one.controls["number"].value = 5
        for label in ("Keep", "Slowly", "Keep"):
            one.buttons[label].click()

    page(hands)
    assert started == [("Slowly", 2 if pause else 5), "done", ("Keep", 5)]
    assert not any(button.disabled for button in one.buttons.values())
    assert [button.description for button in one.buttons.values()] == ["Slowly", "Keep"]


def test_an_error_of_the_first_button_stays_in_view(page):
    """What waited for its turn is given up: otherwise it would draw over the error before anybody has read it."""
    started = []
    one = small(actions={"Break": lambda **_: 1 / 0, "Keep": lambda **_: started.append("Keep")})

    async def hands():
        for label in ("Break", "Keep"):
            one.buttons[label].click()

    page(hands)
    assert not started and "ZeroDivisionError" in one.words.value
    one.act("Keep")
    assert started == ["Keep"] and not one.error


def test_a_press_means_what_the_reader_sees(page):
    """A slider's last value may arrive after the press that followed it."""
    started = []
    one = small(actions={"Measure": lambda **values: started.append(values["number"])})

    def hands():
        one.buttons["Measure"].click()
        one.controls["number"].value = 5

    page(hands)
    assert started == [5]


# ------------------------------------------------------------------------------------------- the veil

VEIL = Veil("How high is the bar, in metres?", lambda result: result, unit="m")


def test_a_veil_hides_picture_text_and_alt_until_a_guess():
    plain, one = small(), small(veil=VEIL)
    assert "21" not in one.words.value and "21" not in one.alt and "How high is the bar" in one.alt
    assert one.png != plain.png and one.result == 21
    hidden = one.png
    assert one.set(number=5).png == hidden, "the veiled picture gives the answer away"
    one.set(number=2).guess("20 m")
    assert one.png == plain.png and shown(one) == shown(plain)
    assert "You guessed <b>20 m</b>; it is <b>21 m</b>" in one._asked.children[0].value
    assert [axes.get_title() for axes in one.figure().axes] == [""] and not one.figure().texts


def test_the_veil_is_on_paper_too():
    figure = small(veil=VEIL).figure()
    (mark,) = figure.texts
    (cover,) = [artist for artist in figure.artists if artist.zorder == 100]
    assert mark.get_text() == "?"
    box, axes = cover.get_window_extent(), figure.axes[0].get_window_extent()
    assert box.x0 <= axes.x0 and box.y0 <= axes.y0 and box.x1 >= axes.x1 and box.y1 >= axes.y1


def test_a_guess_by_hand():
    one = small(veil=Veil("Which?", lambda result: "b", choices=["a", "b"]))
    _, entry, reveal, refused = one._asked.children
    reveal.click()
    assert not one.guessed and "choose one" in refused.value
    entry.value = "b"
    reveal.click()
    assert one.guessed and "it is <b>b</b>. Exactly." in one._asked.children[0].value
    with pytest.raises(ValueError, match="choose from a, b"):
        one.guess("c")
    with pytest.raises(ValueError, match="without a veil"):
        small().guess(1)


def test_a_veil_may_hide_some_states_only():
    one = small(veil=Veil("At 5?", lambda result: 51, hides=lambda number, **rest: number == 5))
    assert one.words.value == "<b>21</b>" and "Veiled" in one.set(number=5).words.value
    assert one.guess(1).words.value == "<b>51</b>"


# ------------------------------------------------------------------------------------------- pictures


def test_the_encoder_is_lossless():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture.encode(pixels)))), pixels)


def test_the_picture_keeps_its_room_and_its_proportions():
    tag = look.image(b"png", 'a "bar" & <more>', (200, 100))
    assert 'width="200" height="100"' in tag and "aspect-ratio:200/100" in tag and "max-width:200px" in tag
    assert 'alt="a &quot;bar&quot; &amp; &lt;more&gt;"' in tag


def test_words_are_read_out_without_tags():
    assert look.plain("<div>a<br>b &amp; c</div><tr><td>1</td></tr>") == "a b & c 1"


def test_a_picture_that_needs_data_is_made_by_a_partial():
    class Scaled(Bar):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def update(self, result):
            self.bar.set_height(result * self.factor)

    assert small(picture=partial(Scaled, 2)).figure().axes[0].patches[0].get_height() == 42
