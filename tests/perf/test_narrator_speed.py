"""How fast reports are told: `pytest tests/perf/test_narrator_speed.py -s`."""

import time

from cxr.synth.narrator import narrate
from cxr.synth.sampling import sample_cohort


def test_one_core_narrates_five_thousand_reports_a_second():
    """Labels can be tried on a hundred thousand reports in under half a minute on one core."""
    studies = sample_cohort(10_000, seed=3)
    narrate(studies[0])  # reads the sentences
    start = time.process_time()
    for study in studies:
        narrate(study)
    rate = len(studies) / (time.process_time() - start)
    print(f"{rate:,.0f} reports/s")
    assert rate >= 5_000
