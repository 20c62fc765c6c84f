"""Damaged tables: every adapter reads them or says what is wrong, in one sentence."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import InputError
from cxr.sources import SOURCES
from cxr.studies import validate_studies
from tests.source_trees import (
    write_chexpert,
    write_nih,
    write_openi,
    write_openi_xml,
    write_padchest,
    write_vindr,
)


def _openi_as_xml(root):
    write_openi(root, 2)
    (root / "indiana_reports.csv").unlink()
    return write_openi_xml(root, 1, findings="Clear.").parent.parent


WRITERS = {
    "nih": ("nih", lambda root: write_nih(root, 2)),
    "chexpert": ("chexpert", lambda root: write_chexpert(root, 2, valid=1)),
    "vindr": ("vindr", lambda root: write_vindr(root, 2, test=1)),
    "padchest": ("padchest", lambda root: write_padchest(root, [{}, {"Projection": "L"}])),
    "openi": ("openi", lambda root: write_openi(root, 2)),
    "openi-xml": ("openi", _openi_as_xml),
}
WORDS = (b",", b'"', b"\n", b"\0", b"nan", b"-1", b"1e999", b"\xff", b";", b"..", b" ", b"<", b"")


@pytest.fixture(scope="module", params=WRITERS)
def tree(request, tmp_path_factory):
    """A source's name, its tree, and its tables as they were written."""
    name, write = WRITERS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    write(root)
    tables = sorted(p for p in root.rglob("*") if p.suffix in (".csv", ".txt", ".xml"))
    return name, root, [(path, path.read_bytes()) for path in tables]


@st.composite
def damages(draw):
    """Where to cut or what to put in, as shares of a table."""
    return draw(
        st.lists(
            st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(WORDS)),
            min_size=1,
            max_size=4,
        )
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_table_is_read_or_refused(tree, data):
    """Bytes are cut out and put in anywhere; nothing but a one-line sentence comes of it."""
    name, root, tables = tree
    path, content = data.draw(st.sampled_from(tables))
    for place, cut, word in data.draw(damages()):
        start = int(place * len(content))
        content = content[:start] + word + content[start + cut :]
    original = dict(tables)[path]
    path.write_bytes(content)
    said = ""
    try:
        cohort = SOURCES[name].read(root)
        validate_studies(cohort.table, where="x")
        assert cohort.table["image_path"].str.startswith(str(root)).all()
    except InputError as error:
        said = str(error)
    finally:
        path.write_bytes(original)
    assert "\n" not in said
