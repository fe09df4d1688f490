"""What a quota grants, in whole units, and how much of it somebody uses at a time. Pure: the same in, the same out.

A unit is a millicore, a MiB, or one; so that sums in `Usage` (bytes) and `Consumption` (MiB) say exactly the same.
"""

import math
from dataclasses import dataclass
from random import Random

from environments.lib import quantities

#: What costs money, in the order of `Consumption`'s columns.
COSTLY = ("requests.cpu", "requests.memory", "requests.storage", "requests.nvidia.com/gpu")
_MIB = 1024 * 1024
_RHYTHM = 168  # hours of a week
_NOISE = 4099  # a prime, so that neighbours differ


@dataclass(frozen=True)
class Resource:
    """One quota resource: its amount in units, and what a unit is in `Usage`'s figures."""

    name: str
    hard: str
    units: int
    quantum: int

    def quantity(self, units: int) -> str:
        """An amount as Kubernetes writes it."""
        if quantities.is_cpu(self.name):
            return f"{units}m" if units % 1000 else str(units // 1000)
        return f"{units}Mi" if self.quantum == _MIB and units else str(units)


@dataclass(frozen=True)
class Grant:
    """A quota, what moves in it first: `moving[:costly]` cost money, in the order of `COSTLY`."""

    moving: tuple[Resource, ...]
    still: tuple[Resource, ...]  # counted things, of which there are as many as there are
    places: tuple[int | None, ...]  # where each of COSTLY is in `moving`


def grant(hard: dict[str, str]) -> Grant:
    """A quota as the bench needs it."""
    resources = [_resource(name, amount) for name, amount in sorted(hard.items(), key=lambda item: item[0])]
    moving = tuple(one for one in resources if one.units and _moves(one.name))
    still = tuple(one for one in resources if one not in moving)
    names = [one.name for one in moving]
    return Grant(moving, still, tuple(names.index(name) if name in names else None for name in COSTLY))


def _resource(name: str, amount: str) -> Resource:
    value = quantities.parse(amount)
    if quantities.is_cpu(name):
        return Resource(name, amount, int(value * 1000), 1)
    quantum = _MIB if quantities.is_bytes(name) else 1
    return Resource(name, amount, int(value) // quantum, quantum)


def _moves(name: str) -> bool:
    return name == "pods" or name.endswith(("cpu", "memory", "storage", "gpu"))


def _profile(random: Random) -> float:
    """How much somebody uses of what they have: some next to nothing, most about a third, a few nearly all."""
    kind = random.random()
    if kind < 0.12:
        return random.uniform(0.01, 0.07)
    if kind < 0.74:
        return random.uniform(0.15, 0.5)
    return random.uniform(0.5, 0.75) if kind < 0.94 else random.uniform(0.8, 0.97)


def levels(random: Random, of: Grant) -> tuple[float, ...]:
    """The usual part of each moving resource that is in use."""
    profile = _profile(random)
    return tuple(min(0.98, profile * random.uniform(0.8, 1.2)) for _ in of.moving)


class Rhythm:
    """Busy working hours, quiet nights and weekends, and chance; one table for everybody."""

    def __init__(self, random: Random) -> None:
        self._noise = [random.uniform(0.85, 1.15) for _ in range(_NOISE)]
        self._hours = [
            0.8 + 0.25 * math.sin(math.pi * max(0, hour % 24 - 6) / 17) - (0.25 if hour >= 120 else 0)
            for hour in range(_RHYTHM)
        ]
        self._days = [sum(self._hours[day * 24 : day * 24 + 24]) / 24 for day in range(7)]

    def hour(self, offset: int, number: int) -> float:
        """The factor of an hour, counted from any Monday's midnight."""
        return self._hours[number % _RHYTHM] * self._noise[(offset + number) % _NOISE]

    def day(self, offset: int, number: int) -> float:
        """The factor of a day, counted from the same Monday."""
        return self._days[number % 7] * self._noise[(offset + 24 * number) % _NOISE]


class Use:
    """How much of a grant somebody uses: a usual part of each moving resource, times the factor of the moment."""

    def __init__(self, of: Grant, usual: tuple[float, ...]) -> None:
        self.grant = of
        self._usual = [one.units * level for one, level in zip(of.moving, usual, strict=True)]
        self._most = 1 / max(usual, default=1.0)  # nobody gets over their quota

    def amounts(self, factor: float) -> list[int]:
        """Units in use on average."""
        factor = min(factor, self._most)
        return [int(each * factor) for each in self._usual]

    def peaks(self, factor: float) -> list[int]:
        """The highest within a span that has this factor."""
        return self.amounts(1.25 * factor)
