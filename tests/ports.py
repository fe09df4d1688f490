"""Ports of the loopback that nobody listens on."""

import socket


def free_port() -> int:
    """One port, free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_pair() -> int:
    """The first of two free ports in a row."""
    while True:
        port = free_port()
        if port < 65535 and not answers(port + 1):
            return port


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
