"""Which keys a client may register, and with what it may sign."""

import base64
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from saas.authserver.client_keys import UnusableKeys, checked_set, read_set

EC: Any = ECKey.generate_key("P-256")
RSA: Any = RSAKey.generate_key(2048)
ED: Any = OKPKey.generate_key("Ed25519")
#: A modulus of 1024 bits.
SHORT = base64.urlsafe_b64encode((2**1023 + 1).to_bytes(128)).rstrip(b"=").decode()


def public(key: Any = EC, **changed: object) -> dict[str, Any]:
    jwk = {**key.as_dict(private=False), **changed}
    return {name: value for name, value in jwk.items() if value is not None}


def as_set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (public(EC), {"ES256"}),
        (public(RSA), {"RS256", "PS256"}),
        (public(RSA, alg="PS256"), {"PS256"}),
        (public(ED), {"EdDSA"}),
        (public(EC, use="sig", key_ops=["verify"], kid="a"), {"ES256"}),
    ],
)
def test_a_key_signs_by_what_its_kind_allows(jwk: dict[str, Any], algorithms: set[str]) -> None:
    (key,) = read_set(checked_set(as_set(jwk)))
    assert (set(key.algorithms), key.kid) == (algorithms, jwk.get("kid"))


def test_only_what_is_used_is_kept() -> None:
    kept = json.loads(checked_set(as_set(public(EC, x5u="https://evil.example", x5c=["x"], kid="a", note={}))))
    assert kept == {"keys": [public(EC, kid="a")]}
    assert read_set(None) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "JSON"),
        ("[" * 20_000, "JSON"),
        ("[]", "list of keys"),
        ('{"keys": {}}', "list of keys"),
        ('{"keys": ["a"]}', "list of keys"),
        ('{"keys": []}', "1 to 10"),
        (as_set(*[public(kid=str(number)) for number in range(11)]), "1 to 10"),
        (" " * 40_000, "at most"),
        (as_set(EC.as_dict(private=True)), "private"),
        (as_set(RSA.as_dict(private=True)), "private"),
        (as_set(OctKey.generate_key(256).as_dict()), "shared secret"),
        (as_set({"kty": "oct"}), "another kind"),
        (as_set({}), "another kind"),
        (as_set(public(ECKey.generate_key("P-384"))), "another kind"),
        (as_set(public(OKPKey.generate_key("X25519"))), "another kind"),
        (as_set(public(RSA, n=SHORT)), "2048 to 4096"),
        (as_set(public(use="enc")), "not for signatures"),
        (as_set(public(key_ops=["sign"])), "not for signatures"),
        (as_set(public(alg="HS256")), "none of: ES256"),
        (as_set(public(RSA, alg="ES256")), "none of: PS256, RS256"),
        (as_set(public(kid="")), "1 to 255"),
        (as_set(public(kid="x" * 256)), "1 to 255"),
        (as_set(public(kid=7)), "no text"),
        (as_set(public(x=None)), "cannot be read"),
        (as_set(public(x="AA")), "cannot be read"),
        (as_set(public(x="\u00e9")), "cannot be read"),
        (as_set(public(RSA, n="AQAB")), "cannot be read"),
        (as_set(public(), public(RSA)), "kid of its own"),
        (as_set(public(kid="a"), public(RSA, kid="a")), "kid of its own"),
    ],
    ids=lambda _: "",  # keys differ in every process that collects the tests
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(UnusableKeys, match=words):
        checked_set(text)
