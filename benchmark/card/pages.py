"""From templates to pages: ours, and the user's in place of single ones.

A folder of the user's own templates stands before ours. A file in it takes the place of the one
of the same name; its `card.html.jinja` may also take ours as it is and replace single blocks:

    {% extends "builtin/card.html.jinja" %}
    {% block limits %}<section><h2>Limits</h2>...</section>{% endblock %}

Templates lay out and never compute; an undefined name is an error that tells template and line.
"""

import base64
import difflib
import hashlib
import json
import traceback
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from markupsafe import Markup

from benchmark.card import svg
from benchmark.card.model import Number
from benchmark.card.words import slug
from benchmark.locations import templates_folder
from cxr.errors import InputError


def render_page(
    template: str, *, style: str, script: str = "", templates: Path | None = None, **values: Any
) -> str:
    """Return a template with its style and script inside, and their hashes for the CSP.

    Args:
        template: its file, from the templates' folder, as `style` and `script` are.
        style: a CSS file.
        script: a JavaScript file; empty for none.
        templates: a folder whose files take the place of ours.
        values: what the template names.

    Raises:
        InputError: a template of the user's is wrong; says which, where and what.
    """
    styles, scripts = _asset(style, templates), _asset(script, templates) if script else ""
    try:
        return (
            environment(templates)
            .get_template(template)
            .render(
                style=Markup(styles),
                script=Markup(scripts),
                style_hash=_csp_hash(styles),
                script_hash=_csp_hash(scripts),
                rendering=rendering_digest(templates),
                **values,
            )
        )
    except TemplateError as error:
        if templates is None:
            raise
        raise InputError(f"{_where(error, templates)}: {error}; correct that line.") from error


def _where(error: TemplateError, templates: Path) -> str:
    """Return template and line of a mistake, from the innermost frame that is a template."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}, line {error.lineno}"
    folders = (str(templates), str(templates_folder()))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(folders)
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else str(templates)


def check_templates(folder: Path) -> None:
    """Raise InputError where a folder holds a file that takes the place of none of ours."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the folder of your templates.")
    known = [path.relative_to(templates_folder()).as_posix() for path in _files(templates_folder())]
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(
                f"{path} takes the place of no template; "
                + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}.")
            )


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )


@cache
def environment(templates: Path | None = None) -> Environment:
    """Return the environment that pages are rendered in; everything is escaped for HTML."""
    ours = FileSystemLoader(templates_folder())
    theirs = [FileSystemLoader(templates)] if templates else []
    made = Environment(
        loader=ChoiceLoader([*theirs, ours, PrefixLoader({"builtin": ours})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["slot"] = svg.slot_class
    made.filters["slug"] = slug
    made.filters["swatch"] = lambda checkpoint: svg.swatch(checkpoint.slot)
    made.filters["picture"] = _picture
    made.tests["number"] = lambda value: isinstance(value, Number)
    return made


@cache
def rendering_digest(templates: Path | None) -> str:
    """Return 12 hexadecimal digits of all that makes a page of a card: templates and code."""
    code = Path(__file__).parent
    files = [*code.glob("*.py"), *code.glob("*.toml"), *_files(templates_folder())]
    digest = hashlib.sha256()
    for file in [*sorted(files, key=lambda each: each.name), *(_files(templates or code / "-"))]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def inert_json(values: Any) -> Markup:
    """Return `values` as JSON that can't end the HTML element it stands in."""
    text = json.dumps(values, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def _picture(drawing: Markup) -> str:
    """Return a chart as a data URI that carries its own style."""
    data = base64.b64encode(svg.standalone(drawing).encode()).decode()
    return f"data:image/svg+xml;base64,{data}"


def _asset(name: str, templates: Path | None) -> str:
    own = templates / name if templates else None
    path = own if own is not None and own.is_file() else templates_folder() / name
    return path.read_text(encoding="utf-8").strip()


def _csp_hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
