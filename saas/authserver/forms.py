"""Forms: application/x-www-form-urlencoded in UTF-8, as RFC 6749 appendix B has it."""

from typing import Final
from urllib.parse import unquote_plus

from saas.authserver.errors import InvalidRequest

#: Bytes of a form.
MAX_FORM: Final = 32_768
_MAX_FIELDS: Final = 32
_TYPE: Final = "application/x-www-form-urlencoded"


def parse_form(content_type: str | None, body: bytes) -> list[tuple[str, str]]:
    """The fields in their order; one without a value has an empty one. Raises InvalidRequest."""
    if (content_type or "").partition(";")[0].strip().lower() != _TYPE:
        raise InvalidRequest(f"The Content-Type must be {_TYPE}")
    if len(body) > MAX_FORM:
        raise InvalidRequest(f"The form is larger than {MAX_FORM} bytes")
    try:
        # The colon of a scope is what nearly every form has encoded, and decoding the usual way takes its time.
        text = body.decode().replace("%3A", ":")
        fields = [field.partition("=") for field in text.split("&") if field]
        if len(fields) > _MAX_FIELDS:
            raise InvalidRequest(f"The form has more than {_MAX_FIELDS} fields")
        return [(form_decoded(name), form_decoded(value)) for name, _, value in fields]
    except UnicodeDecodeError as error:
        raise InvalidRequest("The form is not UTF-8") from error


def form_decoded(text: str) -> str:
    """What was encoded for a form. Raises UnicodeDecodeError where that was not UTF-8."""
    # Most values need none of it: they are identifiers and secrets, in base64url.
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text
