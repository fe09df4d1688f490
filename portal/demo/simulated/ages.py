"""Times as kubectl shows them: `43s`, `7d12h`.

Source: HumanDuration in k8s.io/apimachinery/pkg/util/duration
"""

from datetime import UTC, datetime
from typing import Any

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 86_400 * 365


def since(text: Any) -> str:
    """The time since a timestamp, such as `7d12h`; `<unknown>` for none."""
    if not isinstance(text, str) or not text:
        return "<unknown>"
    return lasting((datetime.now(UTC) - moment(text)).total_seconds())


def moment(text: str) -> datetime:
    """A timestamp."""
    return datetime.fromisoformat(text)


def lasting(seconds: float) -> str:
    """A duration: the longer it is, the rougher."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(0, whole)
    for below, unit, sign, rest, rest_sign in _STEPS:
        if whole < below:
            count, left = divmod(whole, unit)
            more = left // rest if rest else 0
            return f"{count}{sign}" + (f"{more}{rest_sign}" if more else "")
    return f"{whole // _YEAR}y"


#: up to which number of seconds, in which unit, and which one behind it
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
