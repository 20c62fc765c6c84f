"""What a run tells: bars in a terminal, lines elsewhere."""

import io
import re

import pytest
from rich.console import Console

from benchmark.console import (
    BarEvents,
    LineEvents,
    epoch_line,
    open_console,
    seconds_text,
    value_text,
)

ROW = {
    "epoch": 2,
    "train_loss": 0.31234,
    "validation_loss": 0.4,
    "validation_auroc": 0.81,
    "learning_rate": 1e-4,
}


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_lines_tell_start_progress_and_end(clock):
    """Plain lines: a stage's start, its rate, time left and values now and then, its end."""
    out = io.StringIO()
    events = LineEvents(out, clock=clock)
    events.stage("Training", total=100, unit="images")
    clock.now += 5
    events.advance(20, loss=0.5)
    clock.now += 15
    events.advance(20, loss=0.25, auroc=0.75)
    events.stage("Evaluating")
    events.close()
    assert out.getvalue().splitlines() == [
        "Training: 100 images",
        "Training: 40/100 images, 2.0/s, 30 s left, loss 0.250, AUROC 0.750",
        "Training: done in 20 s",
        "Evaluating",
        "Evaluating: done in 0 s",
    ]


def test_lines_do_not_flood(clock):
    """Many small steps make few lines."""
    out = io.StringIO()
    events = LineEvents(out, clock=clock)
    events.stage("Decoding")
    for _ in range(1000):
        clock.now += 0.1
        events.advance()
    assert 5 <= len(out.getvalue().splitlines()) <= 8
    assert "Decoding: 151, 10/s" in out.getvalue()


def test_no_terminal_gets_plain_lines():
    """Where the output is no terminal there are no control characters."""
    out = io.StringIO()
    with open_console(out) as events:
        events.stage("Training", total=2, unit="images")
        events.advance(2, loss=0.5)
        events.epoch("resnet50", 3, ROW)
        events.say("One [sentence].")
    assert isinstance(events, LineEvents)
    assert "\x1b" not in out.getvalue()
    assert "One [sentence]." in out.getvalue()
    assert "resnet50 (seed 3) epoch 2: loss 0.3123" in out.getvalue()


def test_failed_stage_is_not_called_done():
    """A stage that an exception ends is not reported as done."""
    out = io.StringIO()

    def interrupted():
        with open_console(out) as events:
            events.stage("Training")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "done" not in out.getvalue()


def terminal_text(width, use):
    out = io.StringIO()
    events = BarEvents(Console(file=out, force_terminal=True, width=width, color_system=None))
    use(events)
    return out.getvalue(), events


@pytest.mark.parametrize("width", [72, 80, 200])
def test_bar_fits_in_one_line(width):
    """The bar, with loss, AUROC and time left, stays in one line of the terminal."""

    now = [0.0]

    def use(events):
        events._progress.get_time = lambda: now[0]
        events.stage("Training densenet121, seed 0", total=1000, unit="images")
        for _ in range(3):
            now[0] += 4.0
            events.advance(100, loss=0.31234, auroc=0.81234)
        events._progress.refresh()
        events.close(finished=False)

    text, _ = terminal_text(width, use)
    last = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).strip())[-1]
    assert len(last) <= width
    assert "30 %" in last
    assert "25 images/s" in last
    if width >= 80:
        assert "loss 0.312 AUROC 0.812" in last


def test_finished_stage_stays_as_a_line():
    """A finished stage leaves one line, and epochs and sentences stand above the bar."""

    def use(events):
        events.say("Before any stage.")
        events.advance()
        events.stage("Decoding", total=2, unit="images")
        events.epoch("resnet50", 0, ROW)
        events.stage("Writing the card")
        events.close()

    text, _ = terminal_text(100, use)
    assert "Before any stage." in text
    assert re.search(r"✓ Decoding 0 s", text)
    assert re.search(r"✓ Writing the card 0 s", text)
    assert epoch_line("resnet50", 0, ROW) in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (4320, "1 h 12 min")],
)
def test_durations_are_for_people(seconds, text):
    """Durations have a unit and no more digits than people read."""
    assert seconds_text(seconds) == text


def test_values_are_named():
    """AUROC is written as people write it."""
    assert value_text("auroc", 0.81234) == "AUROC 0.812"
    assert value_text("loss", 0.5) == "loss 0.500"
