"""From a day's sums to what costs money: CPU, memory, storage and GPUs, as `models.Consumption` counts them. Pure."""

from collections.abc import Iterable

from environments.lib import quantities
from environments.routine.usage.counting import Sums

#: Which of a quota's resources says it: the first one that it has.
_NAMES = {
    "cpu": ("requests.cpu", "cpu", "limits.cpu"),
    "memory": ("requests.memory", "memory", "limits.memory"),
    "storage": ("requests.storage",),
}

_MIB = 2**20

#: Not more than so much in a day, so that a month of quotas that mean “unlimited” does not overflow a 64-bit column.
_MOST = (2**63 - 1) // 31


def consumption(sums: Sums) -> dict[str, int]:
    """The columns of a day's `Consumption`, such as `cpu_reserved`; 0 for what the quota does not name.

    MiB are rounded to the nearest. The peak of several kinds of GPU is the sum of their peaks: at most so many.
    """
    columns: dict[str, int] = {}
    for name, resources in _NAMES.items():
        chosen = next((sums[resource] for resource in resources if resource in sums), [0, 0, 0])
        columns |= _columns(name, chosen, 1 if name == "cpu" else _MIB)
    return columns | _columns("gpu", _total(row for resource, row in sums.items() if quantities.is_gpu(resource)), 1)


def _columns(name: str, row: list[int], unit: int) -> dict[str, int]:
    used, peak, hard = (min((figure + unit // 2) // unit, _MOST) for figure in row)
    return {f"{name}_reserved": hard, f"{name}_used": used, f"{name}_peak": peak}


def _total(rows: Iterable[list[int]]) -> list[int]:
    found = list(rows)
    return [sum(column) for column in zip(*found, strict=True)] if found else [0, 0, 0]
