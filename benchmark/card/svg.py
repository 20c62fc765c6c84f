"""Small parts of which the charts are drawn: elements, axes, markers and one style.

Charts are hand-made SVG: a few kilobytes each, the same bytes every time, in the reader's own
fonts and colours. Inside the HTML card the page's style sheet dresses them; a chart that stands
alone (a file, the PDF) carries `STYLE`. Colours are those of Okabe & Ito (2008), which people
with colour-blindness tell apart; each checkpoint also has a marker and a dash of its own.
"""

from markupsafe import Markup, escape

from benchmark.card.model import Number

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#8A6D00",
    "#56B4E9",
    "#4D4D4D",
    "#7A4FBF",
)
DASHES = ("", "5 3", "1.5 2.5", "7 2 1.5 2")

_BASE = """\
text{font:11px "Helvetica Neue",Helvetica,Arial,"Nimbus Sans","Liberation Sans",sans-serif;\
fill:#1c1b19}
.muted{fill:#5c5a55}.small{font-size:9.5px}.end{text-anchor:end}.mid{text-anchor:middle}
.strong{font-weight:700}
.axis{stroke:#8b8880;stroke-width:1;fill:none}
.grid{stroke:#e4e1da;stroke-width:1;fill:none}
.chance{stroke:#8b8880;stroke-width:1;stroke-dasharray:3 3;fill:none}
.line{fill:none;stroke-width:1.7;stroke-linejoin:round}
.whisker{stroke-width:1.6;fill:none}
.thin{stroke-width:1.1}
.joined{stroke:#5c5a55;stroke-width:3.5;stroke-linecap:round;fill:none}
.back{fill:#fff}
"""


def slot_class(slot: int) -> str:
    """Return the class of a checkpoint's colour; after the eighth they start again."""
    return f"net{(slot - 1) % len(COLOURS) + 1}"


STYLE = _BASE + "".join(
    f".net{number}{{stroke:{colour}}}.dot.net{number},.tile.net{number}{{fill:{colour}}}"
    f".tile.net{number}{{stroke:none}}\n"
    for number, colour in enumerate(COLOURS, 1)
)


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """Return one element; text and attributes are escaped, `class_` stands for class."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    inner = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>")


def canvas(
    width: float, height: float, *children: Markup, alternative: str, **more: object
) -> Markup:
    """Return an SVG image with its alternative text, in a view box of the given size."""
    return element(
        "svg",
        element("title", alternative),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        role="img",
        **more,
    )


def standalone(svg: Markup) -> str:
    """Return a chart that carries its own style, for a file or the PDF."""
    head, _, rest = str(svg).partition(">")
    return f"{head}><style>{STYLE}</style>{rest}"


def sourced(number: Number) -> Markup:
    """Return a number's text, with the place that it was read from."""
    return element("tspan", number.text, data_source=number.source)


def text(x: float, y: float, content: Markup | str, class_: str = "", **more: object) -> Markup:
    """Return a line of text whose baseline starts (or, by class, ends) at x, y."""
    return element("text", content, x=x, y=y, class_=class_, **more)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("path", d=f"M{_plain(x1)} {_plain(y1)}L{_plain(x2)} {_plain(y2)}", class_=class_)


def path(points: list[tuple[float, float]], class_: str, dash: str = "", **more: object) -> Markup:
    """Return a line through the points; points that fall on one tenth of a pixel are merged."""
    steps: list[str] = []
    for x, y in points:
        step = f"{_plain(x)} {_plain(y)}"
        if not steps or steps[-1] != step:
            steps.append(step)
    return element("path", d="M" + "L".join(steps), class_=class_, stroke_dasharray=dash, **more)


def dash(slot: int) -> str:
    """Return the dash pattern of a checkpoint's lines."""
    return DASHES[(slot - 1) % len(DASHES)]


def marker(x: float, y: float, slot: int, size: float = 4) -> Markup:
    """Return a checkpoint's marker: circle, square, triangle or diamond, in its colour."""
    shape = (slot - 1) % 4
    class_ = f"dot {slot_class(slot)}"
    if shape == 0:
        return element("circle", cx=x, cy=y, r=size, class_=class_)
    half = size * (0.9 if shape == 1 else 1.25)
    corners = {
        1: [(-half, -half), (half, -half), (half, half), (-half, half)],
        2: [(0, -half), (half, half * 0.8), (-half, half * 0.8)],
        3: [(0, -half), (half, 0), (0, half), (-half, 0)],
    }[shape]
    points = "L".join(f"{_plain(x + dx)} {_plain(y + dy)}" for dx, dy in corners)
    return element("path", d=f"M{points}Z", class_=class_)


def swatch(slot: int) -> Markup:
    """Return a checkpoint's line and marker as a small picture for legends."""
    return element(
        "svg",
        path([(0.0, 6.0), (26.0, 6.0)], f"line {slot_class(slot)}", dash(slot)),
        marker(13.0, 6.0, slot, 3.6),
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 26 12",
        class_="swatch",
        aria_hidden="true",
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.1f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value)
