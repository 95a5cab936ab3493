"""What the garbage collector of a server process need not look at."""

import gc
from typing import Final

#: New objects between two looks for cycles among the young; Python's own 700 come together every few requests.
_YOUNG: Final = 10_000


def spare_what_stays() -> None:
    """Call once, when the application is built: modules, routes and models stay until the process ends.

    A full collection looks at each of some hundred thousand objects, while all requests wait for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
