"""Every control of every explorer, turned through its range without a kernel; and the shell they share."""

from importlib import import_module

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from helpers import explorer as shell
from helpers.explorer import Explorer, counting_button, menu, slider, toggle
from helpers.lessons import EXPLORERS, lesson_03


def states(control) -> list:
    """The values a test tries: all of a menu, three of a slider, three clicks."""
    if hasattr(control, "options"):
        return [value for _, value in control._options_full]
    if hasattr(control, "min"):
        middle = control.min + control.step * round((control.max - control.min) / 2 / control.step)
        return [control.min, middle, control.max]
    return [1, 2, 3] if isinstance(control, widgets.Button) else [False, True]


@pytest.fixture(scope="module", params=EXPLORERS)
def explorer(request):
    module = import_module(EXPLORERS[request.param])
    return getattr(module, "example" if hasattr(module, "example") else request.param)()


def test_every_control_changes_picture_and_text(explorer):
    start, seconds = explorer.values, []
    for name, control in explorer.controls.items():
        pictures, texts = set(), set()
        for value in states(control):
            explorer.set(**{name: value})
            seconds.append(explorer.seconds)
            picture = bytes(explorer.picture.value)
            pictures.add(picture)
            texts.add(explorer.words.value)
            assert explorer.error == "" and explorer.words.value.strip() and picture.startswith(b"\x89PNG")
        explorer.set(**start)
        assert len(pictures) > 1, f"turning {name} does not change the picture"
        assert len(texts) > 1, f"turning {name} does not change the text"
    print(f"\n{len(seconds)} changes, median {sorted(seconds)[len(seconds) // 2]:.3f} s, at most {max(seconds):.3f} s")


def test_the_same_values_give_the_same_picture_and_result(explorer):
    start, picture, words = explorer.values, explorer.picture.value, explorer.words.value
    name, control = next(iter(explorer.controls.items()))
    explorer.set(**{name: states(control)[-1]}).set(**{name: states(control)[0]}).set(**start)
    assert explorer.picture.value == picture and explorer.words.value == words


def test_the_picture_keeps_its_size_and_no_figure_stays_open(explorer):
    before = plt.get_fignums()
    figure = explorer.figure()
    assert isinstance(figure, Figure) and figure is not explorer.figure() and plt.get_fignums() == before
    width, height = figure.get_size_inches() * shell.PIXELS_PER_INCH
    assert (explorer.picture.layout.width, explorer.picture.layout.height) == (
        f"{round(width)}px",
        f"{round(height)}px",
    )
    assert width <= 960, "wider than a page"


# ------------------------------------------------------------------------------------------------ the shell


def small(compute=lambda number, word, again: number * 10 + len(word) + again, **more) -> Explorer:
    def draw(result):
        figure = Figure(figsize=(2, 1))
        figure.subplots().bar([0], [result])
        return figure

    controls = {"number": slider("n", 0, 5, 2), "word": menu("w", ["a", "bb"], "a"), "again": counting_button("again")}
    return Explorer(controls, compute, draw, lambda result: f"<b>{result}</b>", **more)


def refuse_five(number, word, again):
    if number == 5:
        raise ValueError("<five> is too much")
    return number


def test_a_click_and_set_do_the_same():
    clicked, driven = small(), small()
    clicked.controls["number"].value = 4
    clicked.controls["word"].value = "bb"
    clicked.controls["again"].click()
    driven.set(number=4, word="bb", again=1)
    assert clicked.result == driven.result == 43 and clicked.picture.value == driven.picture.value
    assert clicked.words.value == driven.words.value == "<b>43</b>"


def test_set_computes_once():
    calls = []
    one = small(lambda **values: calls.append(values) or 1)
    one.set(number=1, word="bb", again=5)
    assert calls[1:] == [{"number": 1, "word": "bb", "again": 5}]


def test_an_error_is_shown_to_the_reader_and_raised_by_set_and_the_picture_stays():
    one = small(refuse_five)
    picture, result = one.picture.value, one.result
    with pytest.raises(ValueError, match="<five> is too much"):
        one.set(number=5)
    assert one.error == "ValueError: <five> is too much"
    assert "&lt;five&gt; is too much" in one.words.value and "explorer-error" in one.words.value
    assert one.picture.value == picture and one.result == result == 2
    one.controls["number"].value = 3  # the next good click mends it
    assert one.error == "" and one.words.value == "<b>3</b>" and one.picture.value != picture
    one.controls["number"].value = 5  # a click raises nothing in the kernel, but is seen
    assert "explorer-error" in one.words.value


def test_errors_of_draw_and_text_are_shown_too():
    one = small()
    one._draw = lambda result: Figure(figsize=(3, 1))
    with pytest.raises(ValueError, match="changed the picture's size"):
        one.set(number=4)
    assert "explorer-error" in one.words.value and one.result == 21


def test_what_cannot_be_set_is_named():
    one = small()
    unknown = "no control 'width'; there are number, word"
    for values, words in [({"width": 1}, unknown), ({"number": 9}, "from 0 to 5"), ({"word": "c"}, "from a, bb")]:
        with pytest.raises(ValueError, match=words):
            one.set(**values)


def test_a_default_state_that_fails_is_no_explorer():
    with pytest.raises(ZeroDivisionError):
        small(lambda **values: 1 / 0)


def test_a_slow_action_says_that_it_works_and_computes_again():
    seen, found = [], {}
    one = small(lambda **values: found.get("time", 0), actions={"Measure": lambda number, **rest: measure(number)})
    button = one.buttons["Measure"]

    def measure(number):
        seen.append((button.disabled, button.description))
        found["time"] = number * 100

    assert one.act("Measure").result == 200 and seen == [(True, "measuring…")]
    assert not button.disabled and button.description == "Measure"
    found["time"] = 1 / 3
    one._actions["Measure"] = lambda **values: 1 / 0
    with pytest.raises(ZeroDivisionError):
        one.act("Measure")
    assert "ZeroDivisionError" in one.words.value and not button.disabled and button.description == "Measure"


def test_the_controls_look_alike_and_hold_what_is_asked():
    assert isinstance(slider("a", 0.0, 1.0, 0.5), widgets.FloatSlider) and isinstance(
        slider("a", 1, 9, 5), widgets.IntSlider
    )
    assert slider("a", options=[0.25, 0.5], value=0.5).value == 0.5 and toggle("a", ["x", "y"], "y").value == "y"
    made = [slider("a", 1, 9, 5), slider("a", options=[1, 2], value=1), menu("a", [1], 1), toggle("a", [1], 1)]
    assert {control.style.description_width for control in made} == {"130px"}


def test_an_explorer_that_does_not_exist_is_named():
    with pytest.raises(AttributeError, match="no 'zzz'"):
        lesson_03.zzz  # noqa: B018
