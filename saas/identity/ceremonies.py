"""What browsers are asked in WebAuthn (level 3), and what their answers prove. It stores nothing.

Its library takes long to import, and most processes never need it: `saas.identity.passkeys` imports this module late.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from saas.identity.challenges import Place
from saas.identity.errors import PasskeyRefused

log = logging.getLogger(__name__)

T = TypeVar("T")

#: A credential's id, and how its authenticator is reached.
Known = tuple[bytes, Sequence[str]]

WRONG: Final = "This passkey was not accepted. Try again, or use another way."
#: Characters of what a browser sends; that of a key with a long attestation is some thousand.
_MAX_CREDENTIAL: Final = 16_384


class Made(NamedTuple):
    """A passkey that was made; `synced` if other devices of its owner may have it too."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    transports: list[str]


class Claim(NamedTuple):
    """Which passkey an answer says it is from, and whose that is: nothing of it is proven yet."""

    credential_id: bytes
    user_handle: bytes | None


def ask_to_create(place: Place, challenge: bytes, known: Sequence[Known], *, email: str, name: str) -> str:
    """Options as JSON, for the place's user: of `known`, none may be made again."""
    if place.user_id is None:
        raise ValueError("A passkey is made for somebody")
    options = generate_registration_options(
        rp_id=place.host,
        rp_name=place.tenant.name,
        user_id=place.user_id.bytes,
        user_name=email,
        user_display_name=name or email,
        challenge=challenge,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return options_to_json(options)


def check_made(place: Place, challenge: bytes, answer: str) -> Made:
    """Raises PasskeyRefused."""
    parsed = _trusting_nothing(answer, parse_registration_credential_json)
    verified = _trusting_nothing(
        answer,
        lambda text: verify_registration_response(
            credential=text,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        ),
    )
    return Made(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        [transport.value for transport in parsed.response.transports or ()],
    )


def ask(place: Place, challenge: bytes, allowed: Sequence[Known]) -> str:
    """Options as JSON: for one of `allowed`, or any that the browser has where none is named."""
    options = generate_authentication_options(
        rp_id=place.host,
        challenge=challenge,
        allow_credentials=_descriptors(allowed),
        user_verification=_verification(place),
    )
    return options_to_json(options)


def read_claim(answer: str) -> Claim:
    """Raises PasskeyRefused."""
    parsed = _trusting_nothing(answer, parse_authentication_credential_json)
    return Claim(parsed.raw_id, parsed.response.user_handle)


def check_proof(place: Place, challenge: bytes, answer: str, public_key: bytes) -> int:
    """How often the passkey says it has signed. Raises PasskeyRefused."""
    verified = _trusting_nothing(
        answer,
        lambda text: verify_authentication_response(
            credential=text,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # the caller looks at it, to tell a copy from a mistake
            require_user_verification=_verification(place) is UserVerificationRequirement.REQUIRED,
        ),
    )
    return verified.new_sign_count


def _verification(place: Place) -> UserVerificationRequirement:
    """Where nothing else is proven, the authenticator has to know its user."""
    second = place.purpose == "second-step"
    return UserVerificationRequirement.PREFERRED if second else UserVerificationRequirement.REQUIRED


def _trusting_nothing(answer: str, read: Callable[[str], T]) -> T:
    if len(answer) > _MAX_CREDENTIAL:
        raise PasskeyRefused(WRONG)
    try:
        return read(answer)
    except Exception as error:  # noqa: BLE001 - a stranger's CBOR and JSON: there is no end to what is wrong with it
        log.info("A passkey's answer was refused: %s", error)
        raise PasskeyRefused(WRONG) from None


def _descriptors(known: Sequence[Known]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=key, transports=[AuthenticatorTransport(each) for each in transports])
        for key, transports in known
    ]
