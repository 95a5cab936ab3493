"""The tests. A run starts about a hundred processes: each would compile the product anew without its bytecode."""

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
