"""Every number that the card shows stands in the run folder, where its `data-source` says.

The sources are read here from the raw files by code of this test's own, not by the product's.
"""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pandas as pd
import pytest

from benchmark.card import build_card, render_html
from tests.card_fixture import write_run
from tests.review_fixture import write_reviews


class Shown(HTMLParser):
    """Collects (source, text) of each element with a source, and text in cells without one."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, str]] = []
        self.bare: list[str] = []
        self._source: str | None = None
        self._text = ""
        self._cell = False
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "td":
            classes = (values.get("class") or "").split()
            self._cell = "n" in classes and "other" not in classes and "none" not in classes
        if tag in ("span", "tspan"):
            self._open.append(values.get("data-source") or values.get("class") or "")
            if values.get("data-source"):
                self._source, self._text = values["data-source"], ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._cell = False
        if tag in ("span", "tspan") and self._open:
            self._open.pop()
            if self._source is not None:
                self.shown.append((self._source, self._text.strip()))
                self._source = None

    def handle_data(self, data: str) -> None:
        if self._source is not None:
            self._text += data
        elif self._cell and re.search(r"\d", data) and "none" not in self._open[-1:]:
            self.bare.append(data)


def look_up(folder: Path, source: str) -> float:
    """Return what stands at `source`, from the raw files."""
    part, _, whole = source.partition(" / ")
    if whole:
        return look_up(folder, part) / look_up(folder, whole)
    return math.fsum(_one(folder, piece) for piece in source.split(" + "))


def _one(folder: Path, source: str) -> float:
    file, _, path = source.partition("#")
    if file.endswith(".parquet"):
        return _count(_table(folder / file), path)
    value: Any = _document(folder / file)
    for step in path.split("."):
        if step == "*":
            return sum(value.values())
        value = value[int(step)] if isinstance(value, list) else value[unquote(step)]
    return float(value)


@cache
def _table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


@cache
def _document(path: Path) -> Any:
    return json.loads(path.read_text())


def _count(table: pd.DataFrame, path: str) -> float:
    counted, _, query = path.partition("?")
    for name, value in parse_qsl(query):
        if table[name].dtype == bool:
            table = table[table[name] == (value == "True")]
        elif pd.api.types.is_numeric_dtype(table[name]):
            table = table[table[name] == float(value)]
        else:
            table = table[table[name] == value]
    return len(table) if counted == "images" else table["patient_id"].nunique()


def agrees(text: str, value: float) -> bool:
    """Whether `text` is `value` in the digits shown."""
    plain = text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("+", "")
    plain = plain.replace("\N{NO-BREAK SPACE}", " ")
    if plain == "<0.001":
        return value < 0.001
    if plain == ">0.99":
        return value > 0.99
    number, _, unit = plain.partition(" ")
    scale = {"": 1, "%": 100, "s": 1, "min": 1 / 60, "h": 1 / 3600}[unit]
    places = len(number.partition(".")[2])
    return abs(float(number) - value * scale) <= 0.5 * 10**-places + 1e-9


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run") / "run", text=" 5.")
    write_reviews(folder, "7")
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Shown:
    shown = Shown()
    shown.feed(render_html(build_card(run)))
    return shown


def test_each_number_is_the_one_at_its_source(run: Path, page: Shown) -> None:
    """The text of each number is the run's value at its source, rounded to the digits shown."""
    wrong = [
        (source, text, look_up(run, source))
        for source, text in page.shown
        if not agrees(text, look_up(run, source))
    ]
    assert not wrong
    assert len(page.shown) > 1500


def test_no_number_in_a_table_is_without_a_source(page: Shown) -> None:
    """Each numeric cell's digits have a source; chance and published values alone do not."""
    assert set(page.bare) <= {"0.5"}


def test_every_estimate_of_the_metrics_is_shown(run: Path, page: Shown) -> None:
    """No observation's estimate of the shown metrics is missing from the card."""
    sources = {source for source, _ in page.shown}
    missing = [source for source in _estimates(run) if source not in sources]
    assert not missing


def _estimates(run: Path) -> Iterator[str]:
    for network in ("densenet121", "resnet50"):
        file = f"{network}/seed-0/metrics.json"
        for name, record in json.loads((run / file).read_text())["observations"].items():
            for metric, value in record.items():
                if isinstance(value, dict) and value.get("estimate") is not None:
                    for end in ("estimate", "low", "high"):
                        yield f"{file}#observations.{name}.{metric}.{end}"
