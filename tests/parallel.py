"""The suite in several processes: which tests stay together, which begin first, and which ports each process uses."""

import os
from collections.abc import Generator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: The folders that take longest begin first, so that no process is left alone with one at the end.
FIRST = ("live", "contract", "flows", "faults")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process, and all that it starts, ports of its own."""
    if worker := getattr(config, "workerinput", None):
        os.environ["PORT_SHARE"] = f"{int(worker['workerid'].removeprefix('gw')) + 1}/{worker['workercount']}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Begin with the slow folders; within each the order stays random."""
    yield
    items.sort(key=_turn)


class FileScheduling(LoadScopeScheduling):
    """Keeps a file's tests in one process, and all that share the contract tests' control plane.

    `--dist loadgroup` would be the usual way, but xdist 3.8 groups nothing with pytest 9.2 (findings/).
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/contract/") and "[real" in nodeid:
            return "control-plane"  # two would cost memory, and a start of six seconds
        return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """For `--numprocesses`, whatever `--dist` says."""
    return FileScheduling(config, log)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, name in enumerate(FIRST) if f"tests/{name}/" in item.path.as_posix()), len(FIRST))
