import pytest

from saas.authserver.errors import InvalidGrant, InvalidRequest
from saas.authserver.pkce import check_challenge, check_verifier

#: RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc() -> None:
    assert check_challenge(CHALLENGE, "S256") == CHALLENGE
    check_verifier(VERIFIER, CHALLENGE)


@pytest.mark.parametrize(
    ("challenge", "method", "says"),
    [
        (None, "S256", "code_challenge is missing"),
        ("", "S256", "code_challenge is missing"),
        (CHALLENGE, None, "must be S256"),
        (CHALLENGE, "plain", "must be S256"),
        (CHALLENGE, "s256", "must be S256"),
        (CHALLENGE + "=", "S256", "not a SHA-256"),
        (CHALLENGE[:-1], "S256", "not a SHA-256"),
        (CHALLENGE + "\n", "S256", "not a SHA-256"),
        ("." * 43, "S256", "not a SHA-256"),
    ],
)
def test_no_challenge_but_a_hash(challenge: str | None, method: str | None, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_challenge(challenge, method)


@pytest.mark.parametrize(
    "verifier", [VERIFIER[:-1] + "l", VERIFIER[:42], "x" * 129, VERIFIER + "\n", CHALLENGE, "\u00e9" * 43]
)
def test_a_wrong_verifier(verifier: str) -> None:
    with pytest.raises(InvalidGrant):
        check_verifier(verifier, CHALLENGE)


@pytest.mark.parametrize("verifier", [None, ""])
def test_a_missing_verifier(verifier: str | None) -> None:
    with pytest.raises(InvalidRequest):
        check_verifier(verifier, CHALLENGE)
