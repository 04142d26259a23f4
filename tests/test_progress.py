import sys

import pytest

from flatminima.progress import Progress, duration


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_line_says_how_far_and_how_long(capsys):
    clock = Clock()
    report = Progress("swiss_roll β=0.3", clock=clock)
    clock.now += 61.5
    report(12_000, 20_000, "loss 0.02")
    assert capsys.readouterr().out == "swiss_roll β=0.3: 12000/20000 (60%), 41 s left, loss 0.02\n"


def test_at_most_one_line_in_each_interval(capsys):
    clock = Clock()
    report = Progress("job", interval=5.0, clock=clock)
    for step in range(1, 13):
        clock.now += 1
        report(step, 12)
    assert capsys.readouterr().out.splitlines() == [
        "job: 5/12 (41%), 7 s left",
        "job: 10/12 (83%), 2 s left",
    ]


def test_nothing_done_yet_promises_nothing(capsys):
    clock = Clock()
    report = Progress("job", clock=clock)
    clock.now += 6
    report(0, 10)
    assert capsys.readouterr().out == "job: 0/10 (0%)\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (41.4, "41 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_written_in_two_units(seconds, text):
    assert duration(seconds) == text


def test_another_stream_takes_the_lines(capsys):
    clock = Clock()
    report = Progress("job", clock=clock, stream=sys.stderr)
    clock.now += 6
    report(1, 2)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "job: 1/2 (50%), 6 s left\n")
