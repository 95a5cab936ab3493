"""A sign-in policy in words: what it says, and what a change of it does, to whom, at once and later. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from saas.identity.policy import Policy, Required
from saas.identity.signed_in import SignedIn

_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_WHOM: Final[dict[Required, str]] = {"none": "nobody", "admins": "administrators", "everyone": "everyone"}
_STRICTER: Final = tuple(_WHOM)
#: Of which a person chooses, as far as the platform allows them.
_IDLE: Final = (900, 1800, 3600, 14_400, 28_800, 43_200, 86_400, 604_800, 1_209_600)
_LIFETIME: Final = (3600, 28_800, 43_200, 86_400, 259_200, 604_800, 1_209_600, 2_592_000)


@dataclass(frozen=True, slots=True)
class Situation:
    """Whom a policy meets: `administrators` and `people` in all, and those of them without a second factor."""

    administrators: int
    administrators_without: int
    people: int
    people_without: int
    #: Whoever changes it, and whether they have a second factor.
    person: SignedIn
    protected: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """`own`: it is about whoever changes the policy, who had better know before. `path`: where they act on it."""

    text: str
    own: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """`text` is what holds from now on."""

    title: str
    text: str
    effects: tuple[Effect, ...]


def in_words(seconds: int) -> str:
    """In the largest unit that it is a whole number of: 90 minutes, 2 days."""
    unit, length = next((unit, length) for unit, length in _UNITS if seconds % length == 0)
    return counted(seconds // length, unit)


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def required_of(policy: Policy) -> str:
    whom = _WHOM[policy.second_factor]
    return "Nobody has to have one" if whom == "nobody" else f"Required of {whom}"


def without(policy: Policy, situation: Situation) -> str:
    """How many of those whom it meets, or would meet, have none."""
    if policy.second_factor == "everyone":
        return _without(situation.people_without, situation.people, "person", "people")
    return _without(situation.administrators_without, situation.administrators, "administrator", "administrators")


def times(name: str, policy: Policy, least: int, most: int) -> list[tuple[str, str]]:
    """What to choose from for `session_idle` or `session_lifetime`: (value of the field, words)."""
    chosen: int | None = getattr(policy, name)
    common = {each for each in (_IDLE if name == "session_idle" else _LIFETIME) if least <= each < most}
    values = sorted(common | ({chosen} if chosen else set()))
    longest = ("", f"{in_words(most)}, the longest that is possible")
    return [*((str(each), in_words(each)) for each in values), longest]


def changes(before: Policy, after: Policy, limits: dict[str, tuple[int, int]], seen: Situation) -> Iterator[Change]:
    """What is different, in the order of the form."""
    if before.second_factor != after.second_factor:
        yield Change("Second factor", required_of(after), tuple(_of_factor(before, after, seen)))
    for name, title, effects in (
        ("session_idle", "Sessions that nobody uses", _of_idle),
        ("session_lifetime", "Sessions in any case", _of_lifetime),
    ):
        old, new = ((getattr(each, name) or limits[name][1]) for each in (before, after))
        if old != new:
            yield Change(title, f"End after {in_words(new)}", tuple(effects(old, new, seen)))
    if before.password_min != after.password_min:
        yield Change(
            "Passwords",
            f"At least {after.password_min} characters",
            (Effect("It holds for new passwords. Those that people have stay good."),),
        )
    if before.allowed_email_domains != after.allowed_email_domains:
        yield Change("E-mail addresses", addresses(after), tuple(_of_domains(after, seen)))


def addresses(policy: Policy) -> str:
    domains = policy.allowed_email_domains
    return f"Only at {', '.join(domains)}" if domains else "At any domain"


def _of_factor(before: Policy, after: Policy, seen: Situation) -> Iterator[Effect]:
    if _STRICTER.index(after.second_factor) < _STRICTER.index(before.second_factor):
        yield Effect("Nobody loses the one that they have: they are still asked for it when they sign in.")
        return
    yield Effect(f"{without(after, seen)}. They set one up when they next sign in, before they get in.")
    yield Effect("Whoever of them is signed in without a second factor is signed out now, except you.")
    if not after.requires_factor(seen.person.roles):
        return
    if seen.protected:
        yield Effect("You have a second factor and stay signed in.", own=True)
    else:
        yield Effect(
            "You have no second factor yet. You stay signed in here; anywhere else, and when you next sign in, you "
            "have to set one up first.",
            own=True,
            path="/account/security",
        )


def _of_idle(old: int, new: int, _: Situation) -> Iterator[Effect]:
    if new < old:
        yield Effect(f"Sessions that nobody has used for {in_words(new)} end now.")
    else:
        yield Effect("Sessions that have ended stay ended.")


def _of_lifetime(old: int, new: int, seen: Situation) -> Iterator[Effect]:
    if new > old:
        yield Effect("It holds for the sessions that there are, too, up to the time that they were given.")
        return
    yield Effect(f"Sessions that began more than {in_words(new)} ago end now.")
    if (seen.now - seen.person.authenticated_at).total_seconds() > new:
        yield Effect("Yours is one of them: you will be asked to sign in again.", own=True)


def _of_domains(after: Policy, seen: Situation) -> Iterator[Effect]:
    yield Effect("It holds for people who are invited from now on. Whoever is here stays, and can sign in.")
    own = seen.person.email.rpartition("@")[2].lower()
    if after.allowed_email_domains and own not in after.allowed_email_domains:
        yield Effect(f"Your own address is at {own}, which is not among them. You stay, too.", own=True)


def _without(count: int, of: int, one: str, many: str) -> str:
    if of == 1:
        return f"The one {one} here has {'none yet' if count else 'one'}"
    if count == 0:
        return f"All {of:,} {many} have one"
    return f"{count:,} of {of:,} {many} {'has' if count == 1 else 'have'} none yet"
