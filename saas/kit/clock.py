"""Time, in UTC."""

from collections.abc import Callable
from datetime import datetime

from tenants.base import utc_now

#: What asks for the time takes one of these, so that a test can choose it.
Clock = Callable[[], datetime]

__all__ = ["Clock", "utc_now"]
