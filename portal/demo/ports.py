"""Ports of the loopback that nobody listens on.

Below those that the system gives to whoever asks for any: what is started a moment later, or started anew, finds its
port as free as it was.
"""

import itertools
import random
import socket

# Every other one: a demo takes the next as well, for its identity provider.
_PORTS = range(12_000, 32_000, 2)
_in_turn = itertools.cycle(random.sample(_PORTS, len(_PORTS)))


def free_port() -> int:
    """One port, and another with every call; the next higher one is free too."""
    return next(port for port in _in_turn if _is_free(port) and _is_free(port + 1))


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed a moment ago counts as free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
