"""Progress of long computations, as plain lines: many jobs share one terminal and one log."""

import time
from collections.abc import Callable
from typing import TextIO

Report = Callable[[int, int, str], None]
"""What library code is given to say how far it is: ``report(done, total, text)``."""


def silent(_done: int, _total: int, _text: str) -> None:
    """A ``Report`` that says nothing."""


class Progress:
    """A ``Report`` that prints at most one line every ``interval`` seconds.

    A line reads ``swiss_roll β=0.3: 12000/20000 (60%), 41 s left, loss 0.02``. The time left
    assumes that the steps to come take as long as those done since the object was made.
    """

    def __init__(
        self,
        label: str,
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        stream: TextIO | None = None,
    ) -> None:
        """Start counting.

        Args:
            label: names the job.
            interval: in seconds.
            clock: seconds from anywhere.
            stream: on which lines are printed; None for standard output, the log of a job.
        """
        self._label = label
        self._interval = interval
        self._clock = clock
        self._stream = stream
        self._began = self._printed = clock()

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Say that ``done`` of ``total`` steps are over, with a few more words if there are any."""
        now = self._clock()
        if now - self._printed < self._interval:
            return
        self._printed = now
        line = f"{self._label}: {done}/{total} ({100 * done // max(total, 1)}%)"
        if 0 < done <= total:
            line += f", {duration((now - self._began) * (total - done) / done)} left"
        print(f"{line}, {text}" if text else line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Write a time span with its two leading units: ``41 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes_rest = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_rest} min"
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"
