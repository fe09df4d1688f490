"""The recommended size for an environment: the smallest of its template's sizes that covers its peak usage."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from environments.actions import placement
from environments.lib import quantities
from environments.reports.units import cores, gib
from environments.spec import Size as SpecSize
from environments.spec import TemplateSpec, render_quota

_MIB = 2**20
_CORE_STEP, _MIB_STEP = 100, 256  # steps of an amount if a template has no sizes: 0.1 cores, 0.25 GiB


@dataclass(frozen=True)
class Need:
    """What an environment needs: millicores, and MiB of memory and storage."""

    cpu: int
    memory: int
    storage: int

    @classmethod
    def at_peak(cls, cpu: int, memory: int, storage: int, headroom: int) -> "Need":
        """Return the peaks plus a headroom in percent, rounded up."""
        return cls(*(-(-amount * (100 + headroom) // 100) for amount in (cpu, memory, storage)))


@dataclass(frozen=True)
class Size:
    """What a size allows: millicores and MiB. `storage` None means no limit."""

    label: str
    cpu: int
    memory: int
    storage: int | None = None

    def covers(self, need: Need) -> bool:
        """Whether the size is large enough."""
        storage = self.storage is None or self.storage >= need.storage
        return self.cpu >= need.cpu and self.memory >= need.memory and storage


def recommended_size(sizes: tuple[Size, ...], need: Need) -> Size | None:
    """Return the smallest size that covers a need, by CPU and then memory, or None.

    Without sizes, return amounts that cover it.
    """
    if not sizes:
        cpu = max(_CORE_STEP, _up(need.cpu, _CORE_STEP))
        memory = max(_MIB_STEP, _up(need.memory, _MIB_STEP))
        return Size(f"{_short(cores(cpu))} cores, {_short(gib(memory))} GiB", cpu, memory)
    fitting = [size for size in sizes if size.covers(need)]
    return min(fitting, key=lambda size: (size.cpu, size.memory), default=None)


def sizes_of(spec: TemplateSpec, parameters: Mapping[str, str]) -> tuple[Size, ...]:
    """Return a template's sizes for some parameters. Empty if it has none or the parameters do not fit."""
    values = {name: str(value) for name, value in parameters.items()}
    try:
        return tuple(_size(spec, size, values) for size in spec.sizes)
    except ValueError:
        return ()


def _size(spec: TemplateSpec, size: SpecSize, parameters: dict[str, str]) -> Size:
    hard = render_quota(spec, size.name, parameters)
    cpu, memory = placement.reserved(hard)
    storage = hard.get("requests.storage")
    mib = int(quantities.parse(storage)) // _MIB if storage else None
    return Size(size.title, int(cpu * 1000), memory // _MIB, mib)


def _up(amount: int, step: int) -> int:
    return -(-amount // step) * step


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"
