import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from saas.kit.signing import Signer, base64url

KEYS: dict[str, Key] = {"ES256": ECKey.generate_key("P-256"), "RS256": RSAKey.generate_key(2048)}


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_it_signs_another_library_verifies(algorithm: str) -> None:
    signer = Signer("mine", algorithm, KEYS[algorithm])
    for kind in ("at+jwt", "JWT"):
        token = jwt.decode(signer.sign(kind, {"sub": "ä", "n": [1]}), KEYS[algorithm], algorithms=[algorithm])
        assert token.header == {"typ": kind, "alg": algorithm, "kid": "mine"}
        assert token.claims == {"sub": "ä", "n": [1]}


def test_a_key_of_another_kind_is_refused() -> None:
    for algorithm, key in (("ES256", KEYS["RS256"]), ("RS256", KEYS["ES256"]), ("ES256", ECKey.generate_key("P-384"))):
        with pytest.raises((JoseError, ValueError)):
            Signer("mine", algorithm, key)
    with pytest.raises(ValueError, match="cannot sign"):
        Signer("mine", "ES256", ECKey.import_key(KEYS["ES256"].as_dict(private=False)))


def test_base64url_is_that_of_the_rfc() -> None:
    assert base64url(b"\xfb\xff\xfe") == b"-__-"
    assert base64url(b"a") == b"YQ"
