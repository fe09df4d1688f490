"""Alerts about quota resources that passed a threshold: one per crossing, in the activity and, if wanted, by email.

An alert comes once usage has stayed above a threshold (ALERT_HOLD_SECONDS), and re-arms only when usage drops
`HYSTERESIS` points below it, so that small changes around it do not repeat it. Emails are rarer still (holding.py).
Kubernetes rejects what would exceed a quota; an alert comes before that.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments.lib import quantities
from environments.lib.activity import Activity
from environments.models import Environment, Event, User
from environments.models.environments import Alerts
from environments.routine import holding
from environments.routine.holding import BAD, RANK, WARN, Mailed, Rising, State

HYSTERESIS = 5  # percentage points below a threshold at which its level is left
_BATCH = 500  # environments a transaction

Figures = dict[str, list[str]]  # resource -> [used, hard], as quantities


@dataclass(frozen=True)
class Crossing:
    """A resource that passed a threshold. `used` and `hard` are quantities, `level` is warn or bad."""

    resource: str
    level: str
    used: str
    hard: str

    @property
    def name(self) -> str:
        """The resource in words."""
        return quantities.name(self.resource)

    @property
    def percent(self) -> int:
        """How much of the quota is in use, rounded down."""
        return quantities.percent(*map(quantities.parse, (self.used, self.hard)))

    @property
    def sentence(self) -> str:
        """How full it is: `Volume claims are at 100 % of the quota`."""
        return f"{self.name} {quantities.verb(self.resource)} at {self.percent} % of the quota"

    @property
    def figures(self) -> str:
        """Both figures in the unit people read: `1.92 GiB of 2 GiB`."""
        return quantities.used_of(self.resource, *map(quantities.parse, (self.used, self.hard)))


@dataclass(frozen=True)
class Choice:
    """The alert settings of an environment: where alerts are sent, and at which percentages."""

    where: str  # one of Alerts
    warn: int
    bad: int

    @classmethod
    def of(cls, environment: Environment) -> "Choice":
        """The current settings of an environment."""
        return cls(environment.alerts, environment.alert_warn, environment.alert_bad)

    def __str__(self) -> str:
        if self.where == Alerts.OFF:
            return "off"
        return f"at {self.warn} % and {self.bad} %, {Alerts(self.where).label[0].lower()}{Alerts(self.where).label[1:]}"


def next_state(figures: Figures, state: State, warn: int, bad: int) -> tuple[State, list[Crossing]]:
    """The levels after new figures, and the crossings to send alerts for, fullest first.

    A resource that is no longer there has no level. A figure that is no quantity leaves its level as it was.
    """
    after: State = {}
    for resource in sorted(figures):
        before = state.get(resource, "")
        try:
            level = _level(_percent(figures[resource]), before, warn, bad)
        except ValueError:
            level = before
        if level:
            after[resource] = level
    return after, _between(figures, state, after)


def _between(figures: Figures, before: State, after: State) -> list[Crossing]:
    """The resources whose level rose, fullest first."""
    rose = [name for name, level in after.items() if RANK[level] > RANK[before.get(name, "")]]
    crossings = [Crossing(name, after[name], *figures[name]) for name in rose]
    return sorted(crossings, key=lambda one: (-_percent([one.used, one.hard]), quantities.rank(one.resource)))


def check(environments: Iterable[Environment], now: datetime | None = None) -> None:
    """Tell what has stayed above a threshold, by the figures that were just stored (`usage`).

    Reads of each: pk, usage, fullest and the fields that begin with `alert`. Costs no query where no level
    changed, and three in one transaction for up to 500 environments where one did.
    """
    moment = now or timezone.now()
    changes = (_Change.of(environment, moment) for environment in environments if not _is_far_from_any(environment))
    for batch in batched((change for change in changes if change.is_one), _BATCH):
        _store(batch)


def configure(environment: Environment, actor: User, choice: Choice) -> None:
    """Change the alert settings. Raises ValidationError if the environment is being deleted or they changed.

    The next check sends alerts for new thresholds. After alerts were off, it sends all of them again.
    """
    before = Choice.of(environment)
    if choice == before:
        return
    with transaction.atomic():
        row = Environment.objects.select_for_update(no_key=True).filter(pk=environment.pk, wanted=True).first()
        if row is None or Choice.of(row) != before:
            raise ValidationError(
                "Someone else changed the alerts, or the environment is being deleted. Reload the page."
            )
        row.alerts, row.alert_warn, row.alert_bad = choice.where, choice.warn, choice.bad
        row.alert_state, row.alert_rising, row.alert_mailed = _still_true(row), {}, {}
        row.save(update_fields=["alerts", "alert_warn", "alert_bad", *_MEMORY])
        message = f"{actor} changed the alerts: {choice} (before: {before})."
        data = {"from": asdict(before), "to": asdict(choice)}
        Event.record(environment, actor, Activity.ALERTS_CHANGED, message, data)


def hold_in_words() -> str:
    """How long usage has to stay above a threshold: `10 minutes`, `90 seconds`; empty for no time at all."""
    seconds = round(settings.ALERT_HOLD_SECONDS)
    if not seconds:
        return ""
    number, unit = (seconds // 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    return f"{number} {unit}" + ("" if number == 1 else "s")


def crossings(event: Event) -> list[Crossing]:
    """The crossings of an alert event, fullest first."""
    return [Crossing(**crossing) for crossing in event.data["crossings"]]


def mailed_crossings(event: Event) -> list[Crossing]:
    """Those of its crossings that the email is about; all of an event of an earlier version."""
    found = crossings(event)
    return [one for one in found if one.resource in event.data.get("mail", [each.resource for each in found])]


def threshold(event: Event, crossing: Crossing) -> int:
    """The threshold that a crossing of an event was about, in percent; of earlier versions' events, its percentage."""
    return int(event.data.get("thresholds", {}).get(crossing.level, crossing.percent))


def hint(resource: str) -> str:
    """How to free up a resource, in a sentence or two.

    What counts when: https://kubernetes.io/docs/concepts/policy/resource-quotas/
    """
    if resource.endswith(("requests.storage", "persistentvolumeclaims")):
        return "A volume claim counts until it is deleted. Look for claims that no pod mounts."
    if quantities.is_cpu(resource) or quantities.is_bytes(resource):
        part = "limits" if resource.startswith("limits.") else "requests"
        return (
            f"The resources.{part} of all containers count, whether they are used or not. "
            "Lower them if they are too high, and scale down idle workloads."
        )
    if resource.startswith("count/"):
        return (
            "Each object counts until it is deleted, including finished Jobs and their pods (ttlSecondsAfterFinished)."
        )
    if resource == "pods":
        return "A pod counts until it has finished. Scale down idle workloads."
    if "/" in resource:
        return "A pod holds what it requests until it has finished. Stop idle pods, for example notebooks."
    return "Each object counts until it is deleted. Delete what you no longer need."


#: What a row remembers of its alerts.
_MEMORY = ("alert_state", "alert_rising", "alert_mailed")


@dataclass(frozen=True)
class _Change:
    """What new figures mean for one environment."""

    environment: Environment
    state: State
    rising: Rising
    mailed: Mailed
    crossings: list[Crossing]
    to_mail: list[str]  # resources

    @classmethod
    def of(cls, row: Environment, now: datetime) -> "_Change":
        if row.alerts == Alerts.OFF:
            return cls(row, {}, {}, {}, [], [])
        reached, _ = next_state(row.usage, row.alert_state, row.alert_warn, row.alert_bad)
        hold = timedelta(seconds=settings.ALERT_HOLD_SECONDS)
        state, rising = holding.lasting(row.alert_state, reached, row.alert_rising, now, hold)
        crossings = _between(row.usage, row.alert_state, state)
        levels = {one.resource: one.level for one in crossings}
        to_mail = holding.to_mail(levels, row.alert_mailed, now) if row.alerts == Alerts.MAIL else []
        mailed = holding.remember(to_mail, levels, row.alert_mailed, now) if crossings else row.alert_mailed
        return cls(row, state, rising, mailed, crossings, to_mail)

    @property
    def memory(self) -> tuple[State, Rising, Mailed]:
        """What the row is to remember, as _MEMORY names it."""
        return self.state, self.rising, self.mailed

    @property
    def is_one(self) -> bool:
        return self.memory != _memory(self.environment)

    def event(self) -> Event:
        worst = BAD if any(crossing.level == BAD for crossing in self.crossings) else WARN
        return Event.new(
            Activity.QUOTA_NEARLY_FULL,
            _sentence(self.crossings),
            environment=self.environment,
            data={
                "crossings": [asdict(crossing) for crossing in self.crossings],
                "thresholds": {WARN: self.environment.alert_warn, BAD: self.environment.alert_bad},
                "mail": self.to_mail,
            },
            tone=worst,
            notice_owed=bool(self.to_mail),
        )


def _memory(row: Environment) -> tuple[State, Rising, Mailed]:
    return row.alert_state, row.alert_rising, row.alert_mailed


def _store(changes: tuple[_Change, ...]) -> None:
    """What is remembered and events together: a worker that dies here has told nothing, and the next pass tells it.

    Another pass that was faster has told it already: then the row no longer remembers what was read.
    """
    with transaction.atomic():
        rows = Environment.objects.select_for_update(no_key=True).filter(
            pk__in=[change.environment.pk for change in changes], wanted=True
        )
        stored = {pk: tuple(memory) for pk, *memory in rows.order_by("pk").values_list("pk", *_MEMORY)}
        mine = [change for change in changes if stored.get(change.environment.pk) == _memory(change.environment)]
        for change in mine:
            row = change.environment
            row.alert_state, row.alert_rising, row.alert_mailed = change.memory
        Environment.objects.bulk_update([change.environment for change in mine], _MEMORY)
        Event.objects.bulk_create(change.event() for change in mine if change.crossings)


def _still_true(row: Environment) -> State:
    """The levels that were told and that other thresholds have too: 96 % is no longer bad where that begins at 98."""
    if row.alerts == Alerts.OFF:
        return {}
    fresh, _ = next_state(row.usage, {}, row.alert_warn, row.alert_bad)
    told = {name: min(level, fresh.get(name, ""), key=RANK.__getitem__) for name, level in row.alert_state.items()}
    return {name: level for name, level in told.items() if level}


def _is_far_from_any(row: Environment) -> bool:
    """Whether its fullest resource says already that nothing is to be told: most of them, most of the time."""
    return not (row.alert_state or row.alert_rising) and 100 * row.fullest < row.alert_warn - 1


def _percent(pair: list[str]) -> Decimal:
    used, hard = pair
    return 100 * quantities.ratio(quantities.parse(used), quantities.parse(hard))


def _level(percent: Decimal, before: str, warn: int, bad: int) -> str:
    if percent >= (_left_at(bad) if before == BAD else bad):
        return BAD
    return WARN if percent >= (_left_at(warn) if before else warn) else ""


def _left_at(threshold: int) -> Decimal:
    """Where a level is left: an empty quota has none, however low the threshold."""
    return threshold - min(Decimal(HYSTERESIS), Decimal(threshold) / 2)


def _sentence(crossings: list[Crossing]) -> str:
    first, *rest = crossings
    parts = [f"{first.sentence} ({first.figures})"]
    return ", ".join([*parts, *(f"{one.name} at {one.percent} % ({one.figures})" for one in rest)]) + "."
