"""The suite in several processes: which tests stay together, which begin first, and which ports each process uses."""

import os
from collections.abc import Generator

import pytest

#: The folders that take longest begin first, so that no process is left alone with one at the end.
FIRST = ("live", "contract", "flows", "faults")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process, and all that it starts, ports of its own."""
    if worker := getattr(config, "workerinput", None):
        os.environ["PORT_SHARE"] = f"{int(worker['workerid'].removeprefix('gw')) + 1}/{worker['workercount']}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Keep a file's tests in one process, and all tests of the real control plane; their order stays random."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    # One control plane serves all contract tests: two would cost memory and a start of six seconds.
    folder = item.path.parent.name
    if item.get_closest_marker("real_cluster") and folder == "contract":
        return "control-plane"
    return "/".join(item.path.parts[-2:])


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, name in enumerate(FIRST) if f"tests/{name}/" in item.path.as_posix()), len(FIRST))
