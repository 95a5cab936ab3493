"""The console's people and roles for the gallery."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from saas.access.administration import ADMINISTRATION
from saas.access.scopes import Scope
from saas.identity.directory import Person
from saas.identity.role_service import HeldRole
from saas.identity.roles import BUILTIN, Role
from saas.kit.clock import utc_now
from tests.e2e.gallery_console import framed

_NOW: Final = utc_now()
_LONG: Final = "Maximiliane Freifrau von und zu Hohenstein-Bartenstein-Donaudampfschifffahrt"
_LONG_EMAIL: Final = "maximiliane.von-und-zu-hohenstein-bartenstein@mail.subsidiary.donaudampfschifffahrt.example.com"
_SCOPES: Final = [
    Scope("projects:read", "See the projects and their details", "Projects"),
    Scope("projects:write", "Create, change and delete projects", "Projects", sensitive=True),
    *ADMINISTRATION,
]
_ALL: Final = tuple(scope.name for scope in _SCOPES)
_SUPPORT: Final = HeldRole("support-of-the-subsidiaries", "Answers what customers ask", _ALL[:5], False, 12)
_ROLES: Final = [
    *(HeldRole(name, words, _ALL[:1] if name == "member" else _ALL, True, 3) for name, words in BUILTIN.items()),
    _SUPPORT,
]


def _person(number: int, name: str, email: str, **changes: Any) -> Person:
    plain: dict[str, Any] = {
        "roles": ("member",),
        "invited": False,
        "disabled_at": None,
        "created_at": _NOW - timedelta(days=40 * number),
        "updated_at": _NOW,
        "totp": False,
        "passkeys": 0,
        "last_signed_in_at": _NOW - timedelta(hours=5 * number),
    }
    return Person(UUID(int=number), email, name, **plain | changes)


_ADA: Final = _person(1, "Ada Byron", "ada@example.com", roles=("owner",), totp=True, passkeys=2)
_MAX: Final = _person(2, _LONG, _LONG_EMAIL, roles=("admin", "member", _SUPPORT.name), passkeys=1)
_INVITED: Final = _person(3, "bea", "bea@example.com", invited=True, last_signed_in_at=None)
_DISABLED: Final = _person(4, "Carl", "carl@example.com", disabled_at=_NOW)
_SESSIONS: Final = [
    {"id": str(number), "device": device, "address": address, "last_seen": _NOW, "current": number == 1}
    for number, device, address in (
        (1, "Firefox on Linux", "203.0.113.7"),
        (2, "Safari on iPhone", "2001:db8:85a3:8d3:1319:8a2e:370:7348"),
    )
]


def _people(**changes: Any) -> dict[str, Any]:
    plain = {
        "people": [_ADA, _MAX, _INVITED, _DISABLED],
        "counts": {"active": 9_998, "invited": 1, "disabled": 1},
        "cap": 10_000,
        "asked": {},
        "roles": [(role.name, role.name) for role in _ROLES],
        "first": "/console/people",
        "next": "/console/people?cursor=x",
    }
    return framed("people", **plain | changes)


def _of(person: Person, **changes: Any) -> dict[str, Any]:
    plain = {
        "person_shown": person,
        "typed": person.name,
        "roles": _ROLES,
        "chosen": list(person.roles),
        "allowed": _SCOPES,
        "sessions": [],
        "editable": True,
        "beyond": False,
        "own": False,
        "here": f"/console/people/{person.id}",
        "errors": {},
    }
    return framed("people", **plain | changes)


def _role(role: HeldRole, **changes: Any) -> dict[str, Any]:
    plain = {
        "role": role,
        "description": role.description,
        "chosen": role.scopes,
        "scopes": _SCOPES,
        "allowed": _SCOPES,
        "held": frozenset(_ALL),
        "people": [_ADA, _MAX],
        "editable": not role.builtin,
        "beyond": False,
        "errors": {},
    }
    return framed("roles", **plain | changes)


_WRONG_INVITE: Final = {
    "typed": f"carl@people\n{_LONG_EMAIL}",
    "roles": _ROLES,
    "chosen": [],
    "domains": ("example.com", "example.org"),
    "most": 50,
    "faults": {"carl@people": "This is not an e-mail address.", _LONG_EMAIL: "They are here already, or invited."},
    "errors": {"emails": "2 of 2 cannot be invited; nobody has been yet.", "roles": "Choose at least one role."},
}
_WRONG_ROLE: Final = {"name": "A role's name is 1 to 40 letters.", "scopes": "Choose at least one thing."}
#: As `CONSOLE_PAGES`.
PEOPLE_PAGES: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    ("console-people", "console/people.html", _people(), "long"),
    ("console-people-none", "console/people.html", _people(people=[], asked={"q": _LONG}, next=None), "lemon"),
    ("console-invite-wrong", "console/invite.html", framed("people", **_WRONG_INVITE), "ink"),
    ("console-person", "console/person.html", _of(_MAX, sessions=_SESSIONS), "long"),
    (
        "console-person-invited",
        "console/person.html",
        _of(_INVITED, errors={"roles": "Choose at least one role."}),
        "acme",
    ),
    ("console-person-beyond", "console/person.html", _of(_ADA, editable=False, beyond=True), "lemon"),
    ("console-roles", "console/roles.html", framed("roles", roles=_ROLES, scopes={s.name: s for s in _SCOPES}), "acme"),
    ("console-role", "console/role.html", _role(_SUPPORT), "long"),
    ("console-role-builtin", "console/role.html", _role(_ROLES[1], people=[]), "ink"),
    (
        "console-role-new",
        "console/new_role.html",
        framed("roles", role=Role("", "", ()), scopes=_SCOPES, held=frozenset(_ALL), chosen=(), errors=_WRONG_ROLE),
        "acme",
    ),
]
