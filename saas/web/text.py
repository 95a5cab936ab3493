"""Text that people write, as pydantic types without its limits: those belong to each field."""

from typing import Annotated

from pydantic import StringConstraints

# PostgreSQL cannot store NUL, and what else is a control character has no place in text that is shown again.
#: One line.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
#: Several lines, with tabs.
Lines = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
