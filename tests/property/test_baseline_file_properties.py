"""Whatever a run scored, the baseline file gives it back exactly."""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.gate.files import pack_cases, read_baseline
from benchmark.gate.scored import Scored
from cxr.keys import keyed_id

unhurried = settings(deadline=None, max_examples=30)


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Cases with any labels, and scores that single precision holds or not, or that are missing."""
    size = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = rng.normal(size=(size, 14)) * draw(st.sampled_from([1e-9, 1.0, 1e9]))
    if draw(st.booleans()):
        logits = logits.astype(np.float32)
    logits[:, draw(st.integers(0, 13))] = draw(st.sampled_from([np.nan, 0.0]))
    name = draw(st.text(max_size=12))
    key = b"0123456789abcdef"
    return Scored(
        run_id=name,
        image=np.array(sorted(keyed_id(f"i{n}", key) for n in range(size))),
        patient=np.array([keyed_id(f"p{n}", key) for n in rng.integers(size, size=size)]),
        labels=rng.choice([1.0, 0.0, -1.0, np.nan], size=(size, 14)),
        logits={(name, draw(st.integers(0, 9))): logits},
        protocol={"name": name, "version": 1, "threshold": 0.5},
        population={"source": name},
        notes={},
        recipe={"training.loss": name},
        weights={},
        restricted=draw(st.booleans()),
    )


@unhurried
@given(scored())
def test_a_baseline_comes_back_as_it_was(one: Scored) -> None:
    """Ids, labels, scores of either precision and blanks survive the file bit by bit."""
    one = dataclasses.replace(one, weights={network: {} for network in one.logits})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "baseline.json"
        file.write_text(json.dumps(pack_cases(one)), encoding="utf-8")
        found = read_baseline(file)
    for name in ("image", "patient", "labels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(one, name))
    assert found.logits.keys() == one.logits.keys()
    for network, values in one.logits.items():
        np.testing.assert_array_equal(found.logits[network], values)
    for name in ("run_id", "protocol", "population", "notes", "recipe", "weights", "restricted"):
        assert getattr(found, name) == getattr(one, name)
