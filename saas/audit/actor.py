"""Who acts, and from where: read from the request, or said by whatever else acts, when an event is recorded."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal

from saas.kit.log import current_scope
from saas.web.address import client_address

#: `anonymous` acts through a request without saying who it is; `system` is the platform itself.
Kind = Literal["user", "client", "operator", "system", "anonymous"]
#: In an ASGI scope: the Actor behind a browser's request, once its session is known.
_IN_SCOPE: Final = "actor"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is a user's id, a client's id, or the name of an operator's account on the machine.

    Without a `name`, a user's address or a client's name is looked up when the event is written. `client_id` is the
    app through which a person acts.
    """

    kind: Kind
    id: str | None = None
    name: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from; nothing, where there is none."""

    address: str | None = None
    request_id: str | None = None


SYSTEM: Final = Actor("system")
_ANONYMOUS: Final = Actor("anonymous")
_NOWHERE: Final = Origin()
_acting: Final[ContextVar[Actor | None]] = ContextVar("acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Whatever is recorded in this block, and in tasks that begin in it, is this actor's doing."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def operator() -> Actor:
    """Whoever runs this process, by the name of their account."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        name = "unknown"
    return Actor("operator", name, name)


def identify(scope: Any, actor: Actor) -> None:
    """Say who is behind a request: for what has looked up a browser's session."""
    scope[_IN_SCOPE] = actor


def current() -> tuple[Actor, Origin]:
    """Who acts now, and from where. Costs nothing before it is asked."""
    said, scope = _acting.get(), current_scope.get()
    if scope is None:
        return said or SYSTEM, _NOWHERE
    return said or scope.get(_IN_SCOPE) or _caller(scope), _origin(scope)


def _caller(scope: Mapping[str, Any]) -> Actor:
    """The bearer of an access token (`saas.access.caller.Caller`, which lies above this package)."""
    caller = scope.get("caller")
    if caller is None:
        return _ANONYMOUS
    if caller.subject == caller.client_id:
        return Actor("client", caller.client_id)
    return Actor("user", caller.subject, client_id=caller.client_id)


def _origin(scope: Mapping[str, Any]) -> Origin:
    application = scope.get("app")
    settings = None if application is None else getattr(application.state, "settings", None)
    trusted = () if settings is None else settings.public.trusted_proxies
    return Origin(client_address(scope, trusted), scope.get("request_id"))  # type: ignore[arg-type]  # it only reads
