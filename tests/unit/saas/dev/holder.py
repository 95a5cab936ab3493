"""A process that uses the embedded servers of a folder until its standard input ends.

Arguments: the folder, and, where it is to be another user than this one, that user's number.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from saas.dev import DevError, embedded


def main(data: str, uid: str = "") -> None:
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    try:
        with embedded(Path(data), fast=True) as servers:
            print(json.dumps(asdict(servers)), flush=True)
            sys.stdin.read()
    except DevError as error:
        print(json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
