"""What holds in all tests of the product."""

from collections.abc import Iterator

import pytest

from tests.unrecorded import Watch, watching


@pytest.fixture(scope="session")
def _watch() -> Iterator[Watch]:
    with watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def everything_is_recorded(_watch: Watch) -> Iterator[None]:
    """Whatever a test makes the product change is in the tenant's audit log."""
    _watch.found = []  # by tests of other packages, which may come before this one in a process
    yield
    found, _watch.found = _watch.found, []
    assert not found, "changed without an event in the audit log (see saas.audit.service.record): " + "; ".join(found)
