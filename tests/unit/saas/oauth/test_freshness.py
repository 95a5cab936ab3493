"""What says since when a request waits for its person to sign in."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer
from saas.oauth.freshness import open_since, seal_since

SEALER = Sealer(b"k" * 32)
CHALLENGE = "c" * 43
NOW = utc_now()
ACME: Any = SimpleNamespace(id=uuid4())


def test_it_says_when() -> None:
    sealed = seal_since(SEALER, ACME, CHALLENGE, NOW)
    for later in (timedelta(0), timedelta(hours=1)):
        since = open_since(SEALER, ACME, CHALLENGE, sealed, NOW + later)
        assert since is not None
        assert abs(since - NOW) < timedelta(milliseconds=1)
        assert since <= NOW  # who signs in in the same instant is not sent back


def test_it_is_good_for_one_request_of_one_tenant_for_an_hour() -> None:
    sealed = seal_since(SEALER, ACME, CHALLENGE, NOW)
    globex: Any = SimpleNamespace(id=uuid4())
    assert open_since(SEALER, globex, CHALLENGE, sealed, NOW) is None
    assert open_since(SEALER, ACME, "d" * 43, sealed, NOW) is None
    assert open_since(Sealer(b"j" * 32), ACME, CHALLENGE, sealed, NOW) is None
    assert open_since(SEALER, ACME, CHALLENGE, sealed, NOW + timedelta(hours=1, seconds=1)) is None


@pytest.mark.parametrize("value", [None, "", "x", "AAAA", "\u00e9", "A" * 60, "=" * 8])
def test_anything_else_says_nothing(value: str | None) -> None:
    assert open_since(SEALER, ACME, CHALLENGE, value, NOW) is None
