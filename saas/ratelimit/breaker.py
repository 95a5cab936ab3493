"""A circuit breaker: after some failures in a row, stop asking for a while, then let one ask."""

import random
import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` different errors in a row; then `permits` one request for each `pause` of seconds.

    Calls that fail together, with the same error object, count as one failure. A probe that never reports back needs no
    care: the next one is due a pause later. Pauses vary, so that processes do not come back all at once.
    """

    def __init__(self, failures: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._last: Exception | None = None
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    def permits(self) -> bool:
        """Whether to ask now. While open, a yes is the probe's: the next one comes a pause later."""
        if self._failures < self._threshold:
            return True
        if self._clock() < self._next_probe:
            return False
        self._postpone()
        return True

    def failed(self, error: Exception) -> bool:
        """Whether this failure is the one that opens the breaker."""
        if error is self._last:
            return False
        self._last = error
        self._failures += 1
        if self.is_open:
            self._postpone()
        return self._failures == self._threshold

    def succeeded(self) -> bool:
        """Whether this success closes a breaker that was open."""
        if not self._failures:
            return False
        closes = self.is_open
        self._failures = 0
        self._last = None
        return closes

    def _postpone(self) -> None:
        self._next_probe = self._clock() + self._pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, keeps no secret
