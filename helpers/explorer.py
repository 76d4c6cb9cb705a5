"""The shell that every explorer shares: controls, a picture of fixed size, text; the reader sees errors."""

import contextlib
import gc
import html
import io
import time
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import matplotlib
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers import plots

PIXELS_PER_INCH = 96  # on the page; the picture holds half as many again, so that it is sharp on fine screens
SHARPNESS = 1.5
# Both colours are set, so the box reads well in JupyterLab's light and dark mode.
ERROR_STYLE = "background:#FDECEA; color:#7A1212; border-left:5px solid #C62828; padding:6px 10px; line-height:1.4"


class Explorer(widgets.VBox):
    """Controls → `compute(**values)` → `draw(result)` and `text(result)`, again at every change.

    controls   name → a widget with a `value` (see `slider`, `menu`, `toggle`, `counting_button`)
    compute    a pure function of the controls' values
    draw       result → matplotlib `Figure` (made by `Figure(figsize=…)`, not by pyplot), always of the same size
    text       result → short HTML that says what the picture shows
    actions    label → a slow function(**values) on a button of its own, which shows `busy` and is disabled meanwhile;
               it leaves what it finds where `compute` looks, and the explorer then computes again
    text_height  pixels kept for the text, so that nothing below moves

    `result` is what compute returned last; `error` is "" or the message that the reader sees (the picture stays).
    """

    def __init__(
        self,
        controls: Mapping[str, widgets.Widget],
        compute: Callable,
        draw: Callable[[object], Figure],
        text: Callable[[object], str],
        *,
        actions: Mapping[str, Callable] | None = None,
        busy: str = "measuring…",
        text_height: int = 72,
    ):
        self.controls, self.result, self.error, self.seconds = dict(controls), None, "", 0.0
        self._compute, self._draw, self._text = compute, draw, text
        self._actions, self._busy, self._held, self._exception = dict(actions or {}), busy, False, None
        self.picture = widgets.Image(format="png")
        self.words = widgets.HTML(layout=widgets.Layout(height=f"{text_height}px", overflow="auto", margin="4px 0 0 0"))
        self.buttons = {label: _button(label) for label in self._actions}
        for label, button in self.buttons.items():
            button.on_click(lambda _, label=label: self._run(label))
        for control in self.controls.values():
            control.observe(self._changed, "value")
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        top = widgets.Box([*self.controls.values(), *self.buttons.values()], layout=row)
        super().__init__([top, self.picture, self.words])
        self._update()
        if self._exception:
            raise self._exception  # the default state must work
        # Figures are full of cycles, so Python collects garbage in the middle of a drag, and looking through all that
        # PyTorch and matplotlib have loaded takes 0.2 s. What is there by now stays, and need not be looked at again.
        gc.collect()
        gc.freeze()

    @property
    def values(self) -> dict:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

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
                    raise ValueError(f"{name} cannot be {value!r}: {_range(control)}")
        finally:
            self._held = False
            self._update()
        return self._raise()

    def act(self, label: str) -> "Explorer":
        """Press the button `label` from code; raises what the reader would be shown."""
        if label not in self._actions:
            raise ValueError(f"there is no button {label!r}; there are {', '.join(self._actions)}")
        self._run(label)
        return self._raise()

    def figure(self) -> Figure:
        """The picture of the last good state as a fresh figure: for paper and for pages that show no widgets."""
        return self._figure(self.result)

    def __repr__(self) -> str:
        # What GitHub and paper show in place of the widget.
        return "(To turn the controls, run this cell in JupyterLab. The picture below is the first state.)"

    def _raise(self) -> "Explorer":
        if self._exception:
            raise self._exception
        return self

    def _changed(self, _change) -> None:
        if not self._held:
            self._update()

    def _update(self) -> None:
        started = time.perf_counter()
        with self._shown():
            result = self._compute(**self.values)
            png, size = _png(self._figure(result))
            words = self._text(result)
            was = (self.picture.width, self.picture.height)
            if was[0] and size != was:
                raise ValueError(f"draw changed the picture's size from {' × '.join(was)} to {' × '.join(size)} pixels")
            self.result = result
            if not self.picture.width:
                self.picture.width, self.picture.height = size
                self.picture.layout = widgets.Layout(width=f"{size[0]}px", height=f"{size[1]}px", flex="0 0 auto")
            self.picture.value, self.words.value = png, words
        self.seconds = time.perf_counter() - started

    def _run(self, label: str) -> None:
        button = self.buttons[label]
        if button.disabled:
            return
        button.disabled, button.description = True, self._busy
        try:
            with self._shown():
                self._actions[label](**self.values)
        finally:
            button.disabled, button.description = False, label
        if not self._exception:
            self._update()

    @contextlib.contextmanager
    def _shown(self):
        # A callback's exception would vanish into the kernel's log; the reader sees it in place of the text.
        self.error, self._exception = "", None
        try:
            yield
        except Exception as error:
            self.error, self._exception = f"{type(error).__name__}: {error}", error
            self.words.value = f'<div class="explorer-error" style="{ERROR_STYLE}">{html.escape(self.error)}</div>'

    def _figure(self, result) -> Figure:
        with matplotlib.rc_context():
            plots.use_style()
            return self._draw(result)


def _png(figure: Figure) -> tuple[bytes, tuple[str, str]]:
    """PNG bytes, and (width, height) on the page in pixels."""
    buffer, (width, height) = io.BytesIO(), figure.get_size_inches()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=PIXELS_PER_INCH * SHARPNESS, pil_kwargs={"compress_level": 1})
    figure.clear()  # leaves less for the garbage collector, which would come in the middle of a drag
    return buffer.getvalue(), (str(round(width * PIXELS_PER_INCH)), str(round(height * PIXELS_PER_INCH)))


def slider(
    label: str, low=None, high=None, value=None, *, step=None, options: Sequence | None = None
) -> widgets.Widget:
    """A slider from `low` to `high` (whole numbers if all are), or over `options`: values, or (text, value)."""
    if options is not None:
        return widgets.SelectionSlider(options=options, value=value, **_look(label))
    step = step if step is not None else (1 if isinstance(low, int) and isinstance(high, int) else (high - low) / 20)
    kind = widgets.IntSlider if all(isinstance(x, int) for x in (low, high, step)) else widgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, **_look(label))


def menu(label: str, options: Sequence, value) -> widgets.Dropdown:
    """A menu of values, or of (text, value)."""
    return widgets.Dropdown(options=options, value=value, **_look(label))


def toggle(label: str, options: Sequence, value) -> widgets.ToggleButtons:
    """Two to four buttons in a row, one of them pressed."""
    look = _look(label)
    look["style"]["button_width"] = "auto"
    return widgets.ToggleButtons(options=options, value=value, **look)


class CountingButton(widgets.Button):
    """A button whose `value` counts its clicks: a control like the others, for instance a seed."""

    value = traitlets.Int(0)


def counting_button(label: str) -> CountingButton:
    button = CountingButton(description=label, layout=widgets.Layout(width="auto", margin="2px 8px"))
    button.on_click(lambda _: setattr(button, "value", button.value + 1))
    return button


def _button(label: str) -> widgets.Button:
    # As wide with "measuring…" as with its label, so that nothing moves.
    width = f"{max(len(label), 12) + 5}ch"
    return widgets.Button(description=label, layout=widgets.Layout(width=width, margin="2px 8px"))


def _look(label: str) -> dict:
    layout = widgets.Layout(width="340px", margin="2px 8px 2px 0")
    return {"description": label, "style": {"description_width": "130px"}, "layout": layout}


def _range(control: widgets.Widget) -> str:
    if hasattr(control, "options"):
        return f"choose from {', '.join(str(option) for option in control.options)}"
    if hasattr(control, "min"):
        return f"it goes from {control.min} to {control.max}"
    return "that is no value for this control"
