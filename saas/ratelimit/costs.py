"""What a request weighs: declared on its route, `@costs(5)` below `@router.get(...)`; 1 where nothing is declared."""

from collections.abc import Callable, Iterable
from re import Pattern
from typing import Final, NamedTuple, TypeVar

from starlette.routing import BaseRoute, Route, compile_path

from saas.ratelimit.decision import MAX_COST

_ATTRIBUTE: Final = "__request_cost__"
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


class Weight(NamedTuple):
    methods: frozenset[str]
    path: Pattern[str]
    cost: int


def costs(weight: int) -> Callable[[Endpoint], Endpoint]:
    """A request to this route counts like `weight` requests. Raises ValueError beyond 1 to 1000."""
    if not 0 < weight <= MAX_COST:
        raise ValueError(f"A request cannot weigh {weight}: from 1 to {MAX_COST}")

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, weight)
        return endpoint

    return declare


def weights_of(routes: Iterable[BaseRoute], prefix: str = "") -> list[Weight]:
    """Of an application's routes, those of included routers among them, the ones that weigh more than 1."""
    found = []
    for route in routes:
        if isinstance(route, Route):
            if (weight := getattr(route.endpoint, _ATTRIBUTE, 1)) > 1:
                path = compile_path(prefix + route.path)[0]
                found.append(Weight(frozenset(route.methods or ()), path, weight))
        elif (router := getattr(route, "original_router", None)) is not None:  # FastAPI's, which has no public name
            found += weights_of(router.routes, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
    return found
