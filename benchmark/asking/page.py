"""explain.json and its pictures as one self-contained page, in the design of the card."""

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from benchmark.card.words import listed
from benchmark.locations import templates_folder
from cxr import __version__

LARGEST = 640
"""Pixels on the longer side of a picture on the page; the files beside it are larger."""

_SIDES = {
    "orientation": "are told by the header's Patient Orientation",
    "view": "follow from the frontal view, as such images are shown",
    "": "are undetermined, since the file does not tell how it is turned",
}


def render_page(folder: Path, answers: dict[str, Any]) -> str:
    """Return the page of a document whose pictures lie in `folder`."""
    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (templates_folder() / "screen.css").read_text(encoding="utf-8")
    style += (templates_folder() / "explain.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    files = [
        found["overlay"]
        for image in answers["images"]
        for network in image["networks"]
        for found in network["observations"].values()
        if "overlay" in found
    ]
    files += [image["picture"] for image in answers["images"] if "picture" in image]
    names = [network["network"] for network in answers["images"][0]["networks"]]
    return environment.get_template("explain.html.jinja").render(
        answers=answers,
        names=listed(names),
        networks=len(names),
        pictures={file: _embedded(folder / file) for file in files},
        sides=_SIDES,
        style=Markup(style),
        style_hash=f"sha256-{digest}",
        version=__version__,
    )


def _embedded(file: Path) -> str:
    with Image.open(file) as opened:
        picture = opened.convert("L" if opened.mode == "L" else "RGB")
    picture.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
