"""The list of environments."""

from collections.abc import Iterable
from dataclasses import dataclass

from environments.dashboards.fullness import Bar, fullest
from environments.models import Environment


@dataclass(frozen=True)
class Row:
    """An environment in the list, with its fullest quota resource."""

    environment: Environment
    bar: Bar | None


def rows(environments: Iterable[Environment]) -> list[Row]:
    """Environments as lines of the list."""
    return [Row(environment, fullest(environment)) for environment in environments]
