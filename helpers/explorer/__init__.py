"""What can be turned and dragged? A pure function computes, a picture follows it, and the reader sees errors.

A change by hand only marks; the page's event loop then draws the newest values, so that the picture never falls behind
the hand by more than one drawing. A change from code (`set`, `act`, or a control's value set in a cell) is drawn before
the next line runs, and raises what goes wrong.

Changes arrive in two threads: JupyterLab lets a widget's first message go to the thread that runs cells, and opens a
thread of its own for those that follow. One explorer computes and draws at a time (`_alone`); otherwise two states
would be painted into one picture.
"""

import asyncio
import contextlib
import functools
import html
import inspect
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import traitlets
from IPython import get_ipython
from IPython.display import HTML, display
from matplotlib.figure import Figure

from helpers.explorer import look
from helpers.explorer.controls import CountingButton, allowed, counting_button, menu, slider, toggle
from helpers.explorer.picture import PIXELS_PER_INCH, Picture, Screen

__all__ = ["PIXELS_PER_INCH", "CountingButton", "Explorer", "Picture", "Veil", "counting_button", "menu", "slider",
           "toggle"]  # fmt: skip

WAIT = 0.01  # seconds between the first change and the drawing: what was turned meanwhile is drawn with it
REMEMBERED = 48  # states whose picture is kept
_DRAWING = threading.RLock()  # one for all: Matplotlib's settings are shared by every figure


def _alone(method: Callable) -> Callable:
    """The method, while no other thread computes or draws."""

    @functools.wraps(method)
    def waiting(self, *args, **kwargs):
        with _DRAWING:
            return method(self, *args, **kwargs)

    return waiting


@dataclass(frozen=True)
class Veil:
    """A question that is asked before the picture answers it.

    question  in words, with the unit of the answer
    truth     the first state's result → the answer: a number, or one of `choices`
    choices   what can be guessed; None: a number
    unit      written after the numbers ("%")
    hides     the controls' values → whether this state gives the answer away; None: every state does
    """

    question: str
    truth: Callable[[object], object]
    choices: Sequence | None = None
    unit: str = ""
    hides: Callable[..., bool] | None = None


class Explorer(widgets.VBox):
    """Controls → `compute(**values)` → a `Picture` and `text(result)`, again at every change.

    controls   name → a widget with a `value` (see `slider`, `menu`, `toggle`, `counting_button`)
    compute    a pure function of the controls' values (and of what an action left)
    picture    a class (or function without arguments) that makes a `Picture`; its figure at most 960 × 400 pixels, so
               that controls, picture and text stand together on a small screen
    text       result → short HTML that says what the picture shows; without tags it is also the picture's `alt`
    alt        result → that text, where the HTML does not read well without tags
    actions    label → a slow function(**values) on a button of its own, called with the values of the moment of the
               press. It leaves what it finds where `compute` looks, under the choice it was started for, and may return
               a sentence that stays below the text; as a generator it lets the page draw at every `yield`
    veil       a `Veil`: picture and text stay hidden until `guess`, by hand or from code
    text_height  pixels kept for the text, so that nothing below moves

    `result` is what compute returned last; `error` is "" or the message that the reader sees (the picture stays);
    `png`, `alt` and `words.value` are what the reader has in view; `seconds` is how long the last change took.
    """

    @_alone
    def __init__(
        self,
        controls: Mapping[str, widgets.Widget],
        compute: Callable,
        picture: Callable[[], Picture],
        text: Callable[[object], str],
        *,
        alt: Callable[[object], str] | None = None,
        actions: Mapping[str, Callable] | None = None,
        busy: str = "measuring…",
        veil: Veil | None = None,
        text_height: int = 60,
    ):
        self.controls, self._compute, self._text = dict(controls), compute, text
        self._alt = alt or (lambda result: look.plain(text(result)))
        self._result, self.png, self.alt, self.note = None, b"", "", ""
        self.error, self.seconds, self._exception = "", 0.0, None
        self._held, self._timer, self._running, self._next, self._states = False, None, "", "", {}
        self._screen = Screen(picture)
        self._actions, self._busy = dict(actions or {}), busy
        self.buttons = {label: widgets.Button(description=label) for label in self._actions}
        for label, button in self.buttons.items():
            button.on_click(lambda _, label=label: self._press(label))
        for control in self.controls.values():
            control.observe(self._changed, "value")
        top = _named(widgets.Box([*self.controls.values(), *self.buttons.values()]), "explorer-controls")
        self.picture, self.words = widgets.HTML(), _named(widgets.HTML(), "explorer-words")
        self.words.layout.min_height = f"{text_height}px"
        body = _named(widgets.Box([self.picture, self.words]), "explorer-body")
        self.veil, self.guessed = veil, veil is None
        self._result = self._compute(**self.values)  # the default state must work
        parts = [_named(widgets.HTML(look.STYLE), "explorer-style"), top]
        if veil:
            self._truth = veil.truth(self._result)
            parts.append(self._question())
        super().__init__([*parts, body])
        self.add_class("explorer")
        self._update()
        self._raise()

    # ------------------------------------------------------------------------------------------- from code

    @property
    def values(self) -> dict:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    @_alone
    def result(self):
        """What compute returned for these values."""
        if self._timer:
            self._draw_newest()
        return self._result

    @_alone
    def set(self, **values) -> "Explorer":
        """Turn controls as a reader's hand would, then compute once. Raises what the reader would be shown."""
        for name in values:
            if name not in self.controls:
                raise ValueError(f"there is no control {name!r}; there are {', '.join(self.controls)}")
        self._held = True
        try:
            for name, value in values.items():
                control = self.controls[name]
                with contextlib.suppress(traitlets.TraitError):
                    control.value = value
                if control.value != value:
                    raise ValueError(f"{name} cannot be {value!r}: {allowed(control)}")
        finally:
            self._held = False
            self._draw_newest()
        return self._raise()

    @_alone
    def act(self, label: str) -> "Explorer":
        """Press the button `label` from code; raises what the reader would be shown."""
        if label not in self._actions:
            raise ValueError(f"there is no button {label!r}; there are {', '.join(self._actions)}")
        self._start(label, None)
        return self._raise()

    @_alone
    def guess(self, value) -> "Explorer":
        """Answer the veil's question; the veil falls and says how near that was."""
        if not self.veil:
            raise ValueError("this explorer asks nothing: it was built without a veil")
        if self.veil.choices is None:
            value = float(str(value).replace(",", ".").removesuffix(self.veil.unit or " "))
        elif value not in self.veil.choices:
            raise ValueError(f"choose from {', '.join(map(str, self.veil.choices))}, not {value!r}")
        self.guessed = True
        says = [self._number(number) for number in (value, self._truth)]
        self._asked.children = [_outcome(self.veil.question, *says)]
        self._states.clear()
        self._draw_newest()
        return self._raise()

    @_alone
    def figure(self) -> Figure:
        """The picture of the last good state as a fresh figure, veiled as the page's is: for paper."""
        return self._screen.figure(self.result, self._hidden())

    def __repr__(self) -> str:
        # What GitHub and paper show in place of the widget.
        return "(To turn the controls, run this cell in JupyterLab. The picture below is the first state.)"

    def _ipython_display_(self) -> None:
        # Two outputs: when the kernel is gone, of the first only an error or dead controls are left.
        display(self._repr_mimebundle_(), raw=True)
        display(HTML(look.REMEDY))

    # ------------------------------------------------------------------------------------------- by hand

    def _changed(self, _change) -> None:
        if self._held:
            return
        if loop := _page():
            self._timer = self._timer or loop.call_later(WAIT, self._draw_newest)
        else:
            self._draw_newest()
            self._raise()

    @_alone
    def _draw_newest(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        self._update()

    def _update(self) -> None:
        started = time.perf_counter()
        with self._shown():
            values = self.values
            result, png, words, alt = self._state(values)
            if png != self.png or alt != self.alt:
                self.picture.value = look.image(png, alt, self._screen.size())
            self._result, self.png, self.alt = result, png, alt
            self.words.value = words + (f'<div class="explorer-note">{self.note}</div>' if self.note else "")
        self.seconds = time.perf_counter() - started

    def _state(self, values: dict) -> tuple:
        """(result, PNG, words, alternative text), from memory where this state was seen before."""
        key = tuple(values.values())
        try:
            known = self._states.pop(key, None)
        except TypeError:  # a value that cannot be a key, for instance an uploaded file
            key = known = None
        if not known:
            result = self._compute(**values)
            veiled = self._hidden()
            png = self._screen.png(result, veiled)
            words = "<i>Veiled until you have guessed.</i>" if veiled else self._text(result)
            alt = f"Veiled until you have guessed: {self.veil.question}" if veiled else self._alt(result)
            known = result, png, words, alt
        if key:
            self._states[key] = known  # the newest stands last
            if len(self._states) > REMEMBERED:
                del self._states[next(iter(self._states))]
        return known

    # ------------------------------------------------------------------------------------------- buttons

    def _press(self, label: str) -> None:
        if self._running:
            # Another button, pressed before the page has heard that this one works, has its turn next.
            self._next = label if label != self._running else self._next
            return
        loop = _page()
        self._begin(label, loop)
        if not loop:
            self._raise()

    def _begin(self, label: str, loop) -> None:
        if not loop:
            return self._start(label, None)
        # What was turned just before the press is on its way: let it arrive, so that the press means what is seen.
        self._wait_for(label)
        loop.call_later(3 * WAIT, self._start, label, loop)

    def _wait_for(self, label: str) -> None:
        self._running = label
        for button in self.buttons.values():
            button.disabled = True
        self.buttons[label].description = self._busy

    @_alone
    def _start(self, label: str, loop) -> None:
        self._wait_for(label)
        self.note, steps = "", None
        with self._shown():
            found = self._actions[label](**self.values)
            if inspect.isgenerator(found):
                steps = found
            else:
                self.note = found or ""
        while steps and not loop:
            steps = self._step(steps)
        if steps:
            loop.call_later(WAIT, self._go_on, label, loop, steps)
        else:
            self._finish(label, loop)

    @_alone
    def _go_on(self, label: str, loop, steps) -> None:
        if steps := self._step(steps):
            self._states.clear()
            self._update()
            loop.call_later(WAIT, self._go_on, label, loop, steps)
        else:
            self._finish(label, loop)

    def _step(self, steps):
        """The generator, or None when it is at its end."""
        with self._shown():
            try:
                next(steps)
                return steps
            except StopIteration as end:
                self.note = end.value or ""
        return None

    def _finish(self, label: str, loop) -> None:
        self._running = ""
        for button in self.buttons.values():
            button.disabled = False
        self.buttons[label].description = label
        if not self._exception:
            self._states.clear()
            self._draw_newest()
        waiting, self._next = self._next, ""
        if waiting and not self._exception:  # an error stays in view
            self._begin(waiting, loop)

    # ------------------------------------------------------------------------------------------- veil and errors

    def _hidden(self) -> bool:
        return not self.guessed and (self.veil.hides is None or self.veil.hides(**self.values))

    def _number(self, value) -> str:
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
        return f"{text} {self.veil.unit}".strip()

    def _question(self) -> widgets.Widget:
        if self.veil.choices is None:
            entry = widgets.Text(placeholder="a number", description="your guess", layout={"width": "200px"})
        else:
            entry = widgets.Dropdown(options=["", *self.veil.choices], description="your guess")
        reveal, refused = widgets.Button(description="Reveal"), widgets.HTML()

        def answer(_) -> None:
            try:
                self.guess(entry.value)
            except ValueError:
                refused.value = "First guess: " + ("a number." if self.veil.choices is None else "choose one.")

        reveal.on_click(answer)
        question = widgets.HTML(f"<b>{html.escape(self.veil.question)}</b>")
        self._asked = _named(widgets.Box([question, entry, reveal, refused]), "explorer-guess")
        self._asked.layout.flex_flow = "row wrap"
        return self._asked

    def _raise(self) -> "Explorer":
        if self._exception:
            raise self._exception
        return self

    @contextlib.contextmanager
    def _shown(self):
        # A callback's exception would vanish into the kernel's log; the reader sees it in place of the text.
        self.error, self._exception = "", None
        try:
            yield
        except Exception as error:
            self.error, self._exception = f"{type(error).__name__}: {error}", error
            self.words.value = look.error(self.error)


def _page() -> asyncio.AbstractEventLoop | None:
    """The event loop, when the kernel is answering the page and not running a cell; None in a cell or a script."""
    try:
        request = get_ipython().kernel.get_parent()["header"]["msg_type"]
        return asyncio.get_running_loop() if request == "comm_msg" else None
    except (AttributeError, KeyError, RuntimeError):
        return None


def _named(widget: widgets.Widget, name: str) -> widgets.Widget:
    widget.add_class(name)
    return widget


def _outcome(question: str, guess: str, truth: str) -> widgets.HTML:
    hit = " Exactly." if guess == truth else ""
    return widgets.HTML(f"{html.escape(question)} You guessed <b>{guess}</b>; it is <b>{truth}</b>.{hit}")
