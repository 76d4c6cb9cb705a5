"""How an explorer lies on the page: a stylesheet, the picture with its words, the reader's error."""

import base64
import html
import re

# Both colours are set where a colour is, so the boxes read well in JupyterLab's light and dark mode.
STYLE = """<style>
.explorer.widget-vbox { max-width: 1900px; overflow: visible; }
.explorer > .explorer-style { display: none; }
.explorer .explorer-controls { display: grid; gap: 2px 20px; align-items: start; overflow: visible;
  grid-template-columns: repeat(auto-fill, minmax(min(150px, 100%), 1fr)); padding: 0 4px; }
.explorer .explorer-controls > * { width: auto; min-width: 0; height: auto; margin: 0; }
.explorer .explorer-controls > .widget-inline-hbox { display: grid; overflow: visible; column-gap: 8px;
  grid-template: "name value" 20px "track track" 28px / 1fr auto; }
.explorer .explorer-controls .widget-label { grid-area: name; width: auto; text-align: left; line-height: 20px;
  height: 20px; margin: 0; padding: 0; }
.explorer .explorer-controls .widget-readout { grid-area: value; width: auto; min-width: 2ch; height: 20px;
  line-height: 20px; margin: 0; padding: 0 2px; text-align: right; font-weight: bold; }
.explorer .explorer-controls .slider-container { grid-area: track; width: auto; margin: 0 10px; }
.explorer .explorer-controls .widget-dropdown > select, .explorer .explorer-controls .widget-text > input,
.explorer .explorer-controls .widget-toggle-buttons > div { grid-area: track; width: 100%; margin: 0; }
.explorer .explorer-controls .widget-button { padding: 0 4px; }
.explorer .explorer-controls > .widget-button { margin-top: 18px; height: 30px; line-height: 30px; }
.explorer .explorer-body { display: flex; flex-flow: row wrap; gap: 4px 24px; overflow: visible; margin: 4px 0 0 0; }
.explorer .explorer-body > .widget-html { display: block; height: auto; margin: 0; min-width: 0; overflow: visible; }
.explorer .explorer-body > .widget-html > .widget-html-content { display: block; line-height: 1.4; height: auto; }
.explorer .explorer-body > .explorer-words { flex: 1 1 420px; padding: 2px 6px; overflow-wrap: anywhere; }
.explorer .explorer-picture { display: block; width: 100%; height: auto; }
.explorer .explorer-error { background: #FDECEA; color: #7A1212; border-left: 5px solid #C62828; padding: 6px 10px; }
.explorer .explorer-guess { background: #E9EDF1; color: #1D2733; border-left: 5px solid #0072B2; padding: 5px 10px; }
</style>"""

# What ipywidgets has no way to say: which slider this is and what it stands at (it tells a screen reader the place in
# a list, "4", where the reader sees "α 0.5"), what a row of buttons decides and which one is pressed, and that the
# words below have changed. A page that forbids scripts in attributes goes without, and nothing else is lost.
NAMES = (
    "const all=this.closest('.explorer');if(all){"
    "all.querySelectorAll('.widget-slider').forEach(one=>{const say=(name,part)=>{const it=one.querySelector(part);"
    "if(it)one.querySelector('[role=slider]').setAttribute(name,it.textContent)};"
    "say('aria-label','.widget-label');say('aria-valuetext','.widget-readout')});"
    "all.querySelectorAll('.widget-toggle-buttons').forEach(one=>{one.setAttribute('role','group');"
    "one.setAttribute('aria-label',one.querySelector('.widget-label').textContent);"
    "one.querySelectorAll('button').forEach(it=>it.setAttribute('aria-pressed',it.classList.contains('mod-active')))});"
    "const words=all.querySelector('.explorer-words');words&&words.setAttribute('aria-live','polite')}"
)
REMEDY = (
    "<small>Controls dead or missing (after a restart, or on the next day)? Click the cell above, then "
    "<i>Run → Run All Above Selected Cell</i>, and run the cell itself.</small>"
)


def image(png: bytes, alt: str, size: tuple[int, int]) -> str:
    """The picture as `<img alt>`: as wide as the page, at most `size` pixels, its height kept free from the start."""
    width, height = size
    return (
        f'<img class="explorer-picture" alt="{html.escape(alt)}" width="{width}" height="{height}" decoding="sync" '
        f'style="max-width:{width}px; aspect-ratio:{width}/{height}" onload="{NAMES}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )


def plain(words: str) -> str:
    """HTML as one line of text, for those who hear it."""
    words = re.sub(r"<(br|/div|/tr|/p)[^>]*>", " ", words)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", words)).split())


def error(message: str) -> str:
    """A message the reader cannot miss."""
    return f'<div class="explorer-error">{html.escape(message)}</div>'
