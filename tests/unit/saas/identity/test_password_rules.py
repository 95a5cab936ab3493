import pytest

from saas.identity.errors import WeakPassword
from saas.identity.password_rules import check_new_password

PERSONAL = ("ann@people.example", "Ann Smith")


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "too short"),
        ("nine char", "too short"),
        # Ten code points that are nine in NFKC: an e and its accent.
        ("cafe\u0301 five", "too short"),
        ("y" * 64 + "z" * 65, "too long"),
        # One code point that is eighteen in NFKC.
        ("\ufdfa" * 8, "too long"),
        ("x" * 1_000_000, "too long"),
        ("aaaaaaaaaa", "repeats"),
        ("abcabcabcabcabc", "repeats"),
        ("passwordpassword", "repeats"),
        ("abcdefghijkl", "counts"),
        ("9876543210", "counts"),
        ("1234567890", "tried first"),
        ("qwertyuiop", "tried first"),
        ("Password2024!", "tried first"),
        ("P@ssw0rd123", "tried first"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12", "tried first"),
        ("!!sunshine99", "tried first"),
        ("ann@people.example", "your address"),
        ("ANN@people.EXAMPLE", "your address"),
        ("annsmith1990", "your name"),
        ("Ann Smith 1!", "your name"),
    ],
)
async def test_refused(password: str, said: str) -> None:
    with pytest.raises(WeakPassword, match=said):
        await check_new_password(password, personal=PERSONAL)


@pytest.mark.parametrize(
    "password",
    [
        "seven green lamps",
        "correct horse battery staple",
        "ten chars!",
        "z9-kq-4t-w",
        "\u00e4\u00f6\u00fc\u00df \u96ea\u306e\u591c\u306e\u6708",
        "x7" * 5 + "different" * 13,
        "ann likes to swim at night",
    ],
)
async def test_accepted(password: str) -> None:
    await check_new_password(password, personal=PERSONAL)
