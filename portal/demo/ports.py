"""Finds free ports on loopback.

They lie below the range from which the system assigns ports, so a port stays free until its program starts or restarts.
"""

import itertools
import os
import random
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PORTS = range(12_000, 32_000)


def free_port() -> int:
    """Return a free port, a different one at every call. The next higher port is free too.

    `PORT_SHARE` (`1/2`, `2/2`) limits this process to a part of the range: programs that run side by side then cannot
    find the same port free at the same moment.
    """
    return next(port for port in _in_turn() if _is_free(port) and _is_free(port + 1))


def kept_port(file: Path) -> int:
    """Return the port in a file if it is free, or else a free one, which the file then names.

    So a server has the same address in every run, and files that name it stay true.
    """
    text = file.read_text().strip() if file.exists() else ""
    if text.isdecimal() and int(text) in _PORTS and _is_free(int(text)):
        return int(text)
    port = free_port()
    file.write_text(f"{port}\n")
    return port


@cache
def _in_turn() -> Iterator[int]:
    number, shares = map(int, os.environ.get("PORT_SHARE", "1/1").split("/"))
    size = len(_PORTS) // shares
    # Only every second port: a demo uses the next one for its identity provider.
    mine = _PORTS[(number - 1) * size : number * size : 2]
    return itertools.cycle(random.sample(mine, len(mine)))


def answers(port: int) -> bool:
    """Whether a program listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just closed counts as free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
