"""The suite on several processes at once: which tests stay together, what begins first, and whose the ports are."""

import os
from collections.abc import Generator

import pytest

#: What takes longest begins first, so that no process is left alone with it at the end.
FIRST = ("real", "live", "faults", "flows")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process a part of the ports of its own, and what it starts, too."""
    if worker := getattr(config, "workerinput", None):
        os.environ["PORT_SHARE"] = f"{int(worker['workerid'].removeprefix('gw')) + 1}/{worker['workercount']}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Keep a file's tests in one process, and all that use one real service; the order within stays random."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    """The real control plane is shared by the contract tests; other files stand alone."""
    folder = item.path.parent.name
    if item.get_closest_marker("real_cluster") and folder == "contract":
        return "control-plane"
    return "/".join(item.path.parts[-2:])


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, name in enumerate(FIRST) if f"tests/{name}/" in item.path.as_posix()), len(FIRST))
