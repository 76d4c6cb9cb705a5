"""What a hand can turn: controls whose label and value stand above a track as wide as the page allows."""

from collections.abc import Sequence

import ipywidgets as widgets
import traitlets


def slider(
    label: str, low=None, high=None, value=None, *, step=None, options: Sequence | None = None
) -> widgets.Widget:
    """A slider from `low` to `high` (whole numbers if all are), or over `options`: values, or (text, value).

    Write the unit into the label ("input side, px") or into the options' texts: a screen reader says both.
    """
    if options is not None:
        return widgets.SelectionSlider(options=options, value=value, description=label)
    step = step if step is not None else (1 if isinstance(low, int) and isinstance(high, int) else (high - low) / 20)
    kind = widgets.IntSlider if all(isinstance(x, int) for x in (low, high, step)) else widgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, description=label)


def menu(label: str, options: Sequence, value) -> widgets.Dropdown:
    """A menu of values, or of (text, value)."""
    return widgets.Dropdown(options=options, value=value, description=label)


def toggle(label: str, options: Sequence, value) -> widgets.ToggleButtons:
    """Two to four buttons in a row, one of them pressed."""
    return widgets.ToggleButtons(options=options, value=value, description=label, style={"button_width": "auto"})


class CountingButton(widgets.Button):
    """A button whose `value` counts its clicks: a control like the others, for instance a seed."""

    value = traitlets.Int(0)


def counting_button(label: str) -> CountingButton:
    """A button that adds 1 to its `value`."""
    button = CountingButton(description=label)
    button.on_click(lambda _: setattr(button, "value", button.value + 1))
    return button


def allowed(control: widgets.Widget) -> str:
    """What a control can be set to, in words."""
    if hasattr(control, "options"):
        return f"choose from {', '.join(str(option) for option in control.options)}"
    if hasattr(control, "min"):
        return f"it goes from {control.min} to {control.max}"
    return "that is no value for this control"
