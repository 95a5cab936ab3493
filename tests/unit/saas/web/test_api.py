from fastapi import FastAPI
from fastapi.routing import APIRoute

from saas.web.api import API_PREFIX, api_router


def test_each_route_of_the_api_is_the_application_s_own(app: FastAPI) -> None:
    """One that is included would be looked for twice, by every request that comes past it."""
    own = {route.path for route in app.router.routes if isinstance(route, APIRoute)}
    assert own == {path for path in app.openapi()["paths"] if path.startswith(API_PREFIX)}
    assert not [route for route in app.router.routes if hasattr(route, "original_router")]


def test_operations_are_named_as_their_functions() -> None:
    router = api_router("/things", "Things")

    @router.get("/{number}")
    async def read_thing(number: int) -> int:
        return number

    app = FastAPI()
    app.router.routes.extend(router.routes)
    operation = app.openapi()["paths"]["/api/v1/things/{number}"]["get"]
    assert (operation["operationId"], operation["tags"]) == ("read_thing", ["Things"])
