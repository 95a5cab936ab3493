"""What can go wrong with the embedded servers, in one line that says what to do."""


class DevError(Exception):
    """The data folder or a server in it cannot be used; `str(error)` is for the person at the terminal."""
