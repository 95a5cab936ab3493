"""What Schemathesis is told beside the API's document, which cannot say what of a request has to fit what else."""

import re
from itertools import count
from typing import Any, Final

import schemathesis

_KEY: Final = re.compile(r"[!-~]{1,255}")
_keys: Final = count()
_SCOPES: Final = ["projects:read"]
_PLACE: Final = "https://notes.example/here"
#: By kind of app, the addresses that people come back to.
_REDIRECTS: Final[dict[object, list[str]]] = {
    "web": [_PLACE],
    "single_page": ["http://localhost:3000/"],
    "mobile": ["com.example.notes:/back"],
    "machine": [],
    "device": [],
}
_USABLE: Final = {
    "scopes": _SCOPES,
    "default_scopes": _SCOPES,
    "post_logout_redirect_uris": [_PLACE],
    "backchannel_logout_uri": _PLACE,
    "resources": [_PLACE],
}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Each request that has an idempotency key has its own, else hardly one would get past the first's answer; and an
    app to which people come back is told to where."""
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if isinstance(key, str) and _KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{next(_keys)}-{key}"[: max(len(key), 20)]
    body: Any = case.body
    if _makes_an_app(context) and isinstance(body, dict) and not body.get("redirect_uris"):
        body["redirect_uris"] = _REDIRECTS.get(body.get("kind"), [])


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """An app that can be made, of what would be one but for its words; whatever else is wrong with it stays.

    Those that bring keys along stay as they are: theirs are none.
    """
    if not _makes_an_app(context) or not isinstance(body, dict):
        return body
    if body.get("kind") not in _REDIRECTS or body.get("jwks") is not None:
        return body
    usable = {name: value for name, value in _USABLE.items() if isinstance(body.get(name), type(value))}
    return {**body, **usable, "redirect_uris": _REDIRECTS[body["kind"]]}


def _makes_an_app(context: schemathesis.HookContext) -> bool:
    return context.operation is not None and context.operation.label == "POST /api/v1/clients"
