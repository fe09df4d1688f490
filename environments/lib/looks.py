"""When each kind of object on a cluster was last read in full, as the cluster's row keeps it.

What the portal did not read, it knows nothing about: neither that it is in order nor that it is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from environments.lib import dates

#: What every environment has. A pass reads these first, the quotas last of them.
GOVERNING = ("Namespace", "LimitRange", "NetworkPolicy", "RoleBinding", "ResourceQuota")

FEW = 3  # intervals after which a kind that cannot be read is worth a word
LATE = timedelta(minutes=30)  # after which one is that nobody tried to read
LONG = timedelta(hours=1)  # after which platform admins are told


@dataclass(frozen=True)
class KindLook:
    """A kind's last complete look, and what has been wrong since. `at` is None if it was never read in full."""

    kind: str
    at: datetime | None
    since: datetime | None = None  # of the first try that failed after it
    error: str = ""

    @property
    def known_at(self) -> datetime | None:
        """Up to when something is known of the kind."""
        return self.at or self.since

    @property
    def plural(self) -> str:
        """The kind's objects as people call them: `NetworkPolicies`."""
        if self.kind.endswith("y"):
            return f"{self.kind[:-1]}ies"
        return f"{self.kind}{'es' if self.kind.endswith('s') else 's'}"

    def is_overdue(self, now: datetime, interval: timedelta) -> bool:
        """Whether the portal must not say that these objects are in order. `interval`: between two looks."""
        known = self.known_at
        patience = FEW * interval if self.error else max(LATE, FEW * interval)
        return known is not None and now - known > patience


def read(stored: Any) -> dict[str, KindLook]:
    """The looks of a row by kind. What another version of the portal wrote otherwise is left out."""
    items = stored.items() if isinstance(stored, dict) else ()
    return {
        kind: KindLook(kind, _moment(item.get("at")), _moment(item.get("since")), str(item.get("error") or ""))
        for kind, item in items
        if isinstance(item, dict)
    }


def after(stored: Any, complete: Mapping[str, datetime], failed: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The looks as they are stored after a pass: the kinds that were read, and when; those that were not, and why.

    Other kinds are forgotten: nothing on the cluster needs them any longer.
    """
    before = read(stored)
    looks = [KindLook(kind, at) for kind, at in complete.items()]
    for kind, error in failed.items():
        last = before.get(kind, KindLook(kind, None))
        looks.append(KindLook(kind, last.at, last.since or now, error))
    return {look.kind: _as_data(look) for look in looks}


def overdue(looks: Iterable[KindLook], now: datetime, interval: timedelta) -> list[KindLook]:
    """Those of which nothing has been known for too long, the oldest first."""
    return sorted(
        (look for look in looks if look.is_overdue(now, interval)), key=lambda look: (look.known_at or now, look.kind)
    )


def sentence(looks: Iterable[KindLook], now: datetime) -> str:
    """How old the knowledge of some kinds is: `Deployments and Services here were last read in full 3 hours ago.`"""
    by_age: dict[str, list[KindLook]] = {}
    for look in looks:
        age = f"were last read in full {dates.relative((look.at - now).total_seconds())}" if look.at else _NEVER
        by_age.setdefault(age, []).append(look)
    return " ".join(f"{_listed(found)} here {age}." for age, found in by_age.items())


_NEVER = "have never been read in full"


def _listed(looks: list[KindLook]) -> str:
    *first, last = sorted(look.plural for look in looks)
    return f"{', '.join(first)} and {last}" if first else last


def _as_data(look: KindLook) -> dict[str, str]:
    at, since = (moment.isoformat(timespec="seconds") if moment else "" for moment in (look.at, look.since))
    return {"at": at, "since": since, "error": look.error[:400]}


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
