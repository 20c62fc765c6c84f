"""Hostile text in any free field of a run stays text, in HTML and in Markdown."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from benchmark.card import build_card, render_chai, render_html, render_markdown
from benchmark.card.render import render
from tests.card_fixture import write_run
from tests.review_fixture import write_reviews

MARK = "MARKTEXT"
NOTES = "\n".join(
    [
        *(f"{name} = '{MARK}'" for name in ("owner", "contact", "intended_use", "caveats")),
        f"[[section]]\ntitle = '{MARK}'\ntext = '{MARK}'",
    ]
)

PAYLOADS = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</title></style><script src=//x.invalid></script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "{{ 7 * 7 }}{% for x in card %}{{ x }}{% endfor %}{# hidden #}",
        "</script><!--<script>",
        "]]> <svg/onload=alert(1)>",
        "| a | b |\n| --- | --- |\n# heading\n- list",
        "[link](javascript:alert(1)) ![image](x) `code` **bold** <b>raw</b>",
        "=cmd|' /C calc'!A0",
        "---\nlicense: mit\n---",
        "&lt;script&gt; &#60;script&#62;",
        "\u202e\u2066 right to left",
    ]
)
PLAIN = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f"), max_size=40
)
HOSTILE = st.one_of(PAYLOADS, st.builds(lambda a, b: f"{a}{b}", PLAIN, PAYLOADS), PLAIN)


class Structure(HTMLParser):
    """Counts elements with the names of their attributes, and checks what an address may be."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Counter[tuple[str, ...]] = Counter()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[(tag, *(name for name, _ in attrs))] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_comment(self, data: str) -> None:
        self.elements[("comment",)] += 1


def structure(html: str) -> Structure:
    """Return what the page is made of, its texts aside."""
    found = Structure()
    found.feed(html)
    return found


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run") / "run", images=60, text=MARK)
    (folder / "card.toml").write_text(NOTES)
    write_reviews(folder, MARK)
    run = json.loads((folder / "run.json").read_text())
    run["networks"][1]["name"] = f"network {MARK}"
    (folder / "run.json").write_text(json.dumps(run))
    return folder


@pytest.fixture(scope="module")
def harmless(marked: Path) -> Structure:
    return structure(render_html(build_card(marked)))


@pytest.fixture(scope="module")
def harmless_paper(marked: Path) -> Structure:
    return structure(render(build_card(marked), paper=True))


@pytest.fixture(scope="module")
def harmless_tags(marked: Path) -> list[str]:
    return _tags(render_chai(build_card(marked)))


@pytest.fixture(scope="module")
def harmless_tokens(marked: Path) -> list[str]:
    return _tokens(render_markdown(build_card(marked)))


@pytest.fixture
def work(marked: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    copy = tmp_path / "run"
    shutil.copytree(marked, copy)
    yield marked, copy
    shutil.rmtree(copy)


def put(work: tuple[Path, Path], text: str) -> Path:
    """Write the marked run again with `text` in every free field."""
    marked, copy = work
    quoted = json.dumps(text, ensure_ascii=False)
    for file in marked.rglob("*.json"):
        content = file.read_text(encoding="utf-8")
        if MARK in content:
            target = copy / file.relative_to(marked)
            target.write_text(content.replace(MARK, quoted[1:-1]), encoding="utf-8")
    (copy / "card.toml").write_text(NOTES.replace(f"'{MARK}'", quoted), encoding="utf-8")
    return copy


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE)
def test_text_never_becomes_markup(work: tuple[Path, Path], harmless: Structure, text: str) -> None:
    """Whatever the free fields hold, the page has the same elements, attributes and addresses."""
    hostile = structure(render_html(build_card(put(work, f"{text}x"))))
    assert hostile.elements == harmless.elements
    assert all(address.startswith(("#", "data:image/")) for address in hostile.addresses)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE)
def test_text_never_becomes_markup_of_the_pdf_or_the_xml(
    work: tuple[Path, Path], harmless_paper: Structure, harmless_tags: list[str], text: str
) -> None:
    """The page that the PDF is made of keeps its elements, and the XML its elements' names."""
    card = build_card(put(work, f"{text}x"))
    hostile = structure(render(card, paper=True))
    assert hostile.elements == harmless_paper.elements
    assert all(address.startswith(("#", "data:image/")) for address in hostile.addresses)
    assert _tags(render_chai(card)) == harmless_tags


def _tags(xml: str) -> list[str]:
    return [element.tag for element in ElementTree.fromstring(xml).iter()]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE)
def test_text_never_becomes_markdown(
    work: tuple[Path, Path], harmless_tokens: list[str], text: str
) -> None:
    """Whatever the free fields hold, the Markdown card has the same blocks and no live HTML."""
    assert _tokens(render_markdown(build_card(put(work, f"x{text}x")))) == harmless_tokens


def _tokens(text: str) -> list[str]:
    body = text.split("\n---\n", 1)[1]
    found = []
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(body):
        found.append(token.type)
        found += [child.type for child in token.children or () if child.type != "text"]
    return [kind for kind in found if kind not in ("softbreak", "text_special")]


def test_templates_in_the_data_are_not_run(work: tuple[Path, Path]) -> None:
    """Jinja in a free field is shown, not evaluated."""
    html = render_html(build_card(put(work, "{{ 7 * 191 }}")))
    assert "{{ 7 * 191 }}" in html
    assert "1337" not in html
