"""Quantities in the one form in which the API server gives them back: `1000m` is `1`, `1.5Gi` is `1536Mi`.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from functools import lru_cache
from typing import Self

#: The API server takes “.” and “m” for nothing at all.
_PATTERN = re.compile(r"([+-]?[0-9]*\.?[0-9]*)(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?[0-9]+))")
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}
_DECIMAL = {
    suffix: Decimal(10) ** power
    for suffix, power in {
        "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
    }.items()
}  # fmt: skip
_NANO = _DECIMAL["n"]
_GREATEST = Decimal(2**63 - 1)


@dataclass(frozen=True)
class Quantity:
    """An exact amount, and whether it is written in powers of 1024."""

    value: Decimal = Decimal(0)
    binary: bool = False

    def __add__(self, other: Self) -> "Quantity":
        return Quantity(self.value + other.value, self.binary or other.binary)

    def __str__(self) -> str:
        scale = _BINARY if self.binary and abs(self.value) >= 1024 and self.value % 1 == 0 else _DECIMAL
        if not self.value:
            return "0"
        for suffix, factor in reversed(scale.items()):
            if self.value % factor == 0:
                return f"{int(self.value / factor)}{suffix}"
        return f"{int((self.value / _NANO).to_integral_value(ROUND_UP))}n"


@lru_cache(maxsize=4096)
def parse(text: str | int | float) -> Quantity:
    """The quantity that a manifest says. Raises ValueError in Kubernetes' words."""
    match = _PATTERN.fullmatch(str(text))
    if match is None or text == "":
        pattern = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
        raise ValueError(f"quantities must match the regular expression '{pattern}'")
    digits, binary, decimal, exponent = match.groups()
    number = digits if any(map(str.isdigit, digits)) else "0"
    if binary:
        return Quantity(Decimal(number) * _BINARY[binary], binary=True)
    if exponent:
        return Quantity(Decimal(number).scaleb(int(exponent)))
    return Quantity(Decimal(number) * _DECIMAL[decimal or ""])


def amount(text: str | int | float) -> Decimal:
    """The number that a quantity stands for. Raises ValueError."""
    return parse(text).value


def canonical(text: str | int | float) -> str:
    """The same quantity as the API server writes it: rounded up to thousandths, and capped in powers of 1024."""
    found = parse(text)
    if not found.binary and found.value > _GREATEST:
        return str(text)
    kept = min(found.value, _GREATEST).quantize(_DECIMAL["m"], ROUND_UP)
    return str(Quantity(kept, found.binary))
