"""Environments for the bench: as many at any time as were asked for, some of which came and went within the year."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from environments import spec as template_spec
from environments.actions import placement
from environments.lib import quantities
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import Cluster, Condition, Environment, Event, Group, Member, Team, TemplateVersion, User
from environments.reconcile.steps import REMOVALS, STEPS
from tests.bench import bulk, grants
from tests.bench.company import Company
from tests.bench.grants import Grant, Rhythm, Use

_EVENTS = 15
_CHANGED = 0.25  # of the places had another environment earlier in the year
_SHORT = {"preview": 3, "web-preview": 7}
_WEIGHTS = {"team-namespace": 45, "namespace": 32, "data-lab": 10, "gpu-namespace": 5, "preview": 4, "web-preview": 4}
_PHASES = {Phase.READY: 965, Phase.DEGRADED: 15, Phase.FAILED: 12, Phase.PROVISIONING: 5, Phase.DELETING: 3}
_YOUNG = (Phase.FAILED, Phase.PROVISIONING)
#: kind, message, tone: what happens between Ready and today.
_HAPPENINGS = (
    (Activity.ACCESS_CHANGED, "{actor} gave person{number:04}@example.com access as developer.", ""),
    (Activity.ACCESS_CHANGED, "{actor} took person{number:04}@example.com's access away.", ""),
    (Activity.EXTENDED, "Extended by {actor}.", ""),
    (
        Activity.CHANGED_BY_HAND,
        "The portal is restoring what was changed: ResourceQuota quota: pods",
        "warn",
    ),
    (Activity.REPAIRED, "Everything is in order again.", "ok"),
    (Activity.KUBECONFIG_DOWNLOADED, "{actor} fetched a token for 8 hours.", ""),
    (Activity.CHECK_REQUESTED, "{actor} asked to try again.", ""),
)


@dataclass(frozen=True)
class Stay:
    """One environment's time in one of the places."""

    begins: datetime
    ends: datetime | None  # None: it is still there
    phase: Phase
    template: str


@dataclass(slots=True)
class Account:
    """What the year's history needs of an environment."""

    pk: uuid.UUID
    begins: datetime
    ends: datetime | None
    cluster: int
    grant: Grant
    use: Use
    still: tuple[int, ...]
    offset: int
    week: list[int] = field(default_factory=list)
    month: list[int] = field(default_factory=list)


def stays(random: Random, places: int, days: int, now: datetime) -> Iterator[Stay]:
    """Who is in each place, one after another."""
    start = now - timedelta(days=days)
    for _ in range(places):
        phase = random.choices([*_PHASES], [*_PHASES.values()])[0]
        template = random.choices([*_WEIGHTS], [*_WEIGHTS.values()])[0]
        changed = _change(random, phase, template, days, now)
        begins = start - timedelta(days=random.uniform(1, 400))
        if changed is not None:
            earlier = "team-namespace" if template in _SHORT else template
            yield Stay(begins, changed, Phase.DELETED, earlier)
            begins = changed
        yield Stay(begins, None, phase, template)


def _change(random: Random, phase: Phase, template: str, days: int, now: datetime) -> datetime | None:
    """When the last environment of a place took over; None where it was there all along."""
    if phase == Phase.PROVISIONING:
        return now - timedelta(seconds=random.uniform(1, 300))
    if phase == Phase.FAILED:
        return now - timedelta(days=random.uniform(0.1, min(20, days)))
    if template in _SHORT:
        return now - timedelta(days=random.uniform(0.1, min(_SHORT[template] - 0.1, days)))
    return now - timedelta(days=random.uniform(1, days)) if random.random() < _CHANGED else None


def populate(random: Random, company: Company, rhythm: Rhythm, places: int, days: int, now: datetime) -> list[Account]:
    """Make the environments with all that hangs on them. The accounts of those that have a history come back."""
    maker = _Maker(random, company, rhythm, now)
    rows = [maker.environment(stay, number) for number, stay in enumerate(stays(random, places, days, now))]
    for start in range(0, len(rows), 1000):
        chunk = rows[start : start + 1000]
        bulk.create(Environment, [row for row, _ in chunk])
        for make in (maker.members, maker.groups, maker.conditions, maker.events):
            children = [child for row, _ in chunk for child in make(row)]
            bulk.create(type(children[0]), children)
    return [account for _, account in rows if account]


class _Maker:
    """Rows of one company."""

    def __init__(self, random: Random, company: Company, rhythm: Rhythm, now: datetime) -> None:
        self.random, self.company, self.rhythm, self.now = random, company, rhythm, now
        self._granted = cache(_granted)

    def environment(self, stay: Stay, number: int) -> tuple[Environment, Account | None]:
        owner, team = self.company.owner(self.random)
        version = self._version(stay)
        place = int(len(self.company.clusters) * self.random.random() ** 1.4)
        row = Environment(
            id=uuid.UUID(int=self.random.getrandbits(128), version=4),
            request_key=uuid.UUID(int=self.random.getrandbits(128), version=4),
            name=f"service {number % 700:03}",
            purpose=f"Work item {number}" if number % 3 else "",
            namespace=f"{owner.username}-service-{number:05}",
            version=version,
            spec=version.spec,
            **self._who(owner, team, self.company.clusters[place]),
            **self._state(stay, version),
        )
        hard = self._fill(row, version)
        if row.phase in _YOUNG:
            return row, None
        return row, self._account(row, place, self._granted(tuple(hard.items())))

    def _version(self, stay: Stay) -> TemplateVersion:
        """The newest, or one that was retired meanwhile: one environment in three has not moved yet."""
        versions = self.company.versions[stay.template]
        return versions[0] if self.random.random() < 0.33 else versions[-1]

    def _who(self, owner: User, team: Team, cluster: Cluster) -> dict[str, Any]:
        return {"owner": owner, "team": team, "cluster": cluster, "directory": self.company.directory}

    def _state(self, stay: Stay, version: TemplateVersion) -> dict[str, Any]:
        """Phase and dates."""
        wanted = stay.phase not in (Phase.DELETING, Phase.DELETED)
        under_way = stay.phase in (Phase.PROVISIONING, Phase.DELETING)
        orphaned = stay.phase == Phase.READY and self.random.random() < 0.01
        lifetime = version.spec["lifetime_days"]
        return {
            "phase": stay.phase,
            "wanted": wanted,
            "observed_generation": int(not under_way),
            "next_reconcile_at": self.now + timedelta(hours=self.random.uniform(1, 6)) if wanted else None,
            "namespace_uid": f"{self.random.getrandbits(128):032x}",
            "created_at": stay.begins,
            "ready_at": None if stay.phase in _YOUNG else stay.begins + self._soon(),
            "ends_at": self._end(stay, lifetime),
            "extensions": max(0, (self.now - stay.begins).days // lifetime) if lifetime else 0,
            "orphaned_at": self.now - timedelta(days=self.random.uniform(1, 60)) if orphaned else None,
            "orphaned_why": "The account is disabled." if orphaned else "",
            "deleted_at": stay.ends,
        }

    def _soon(self) -> timedelta:
        return timedelta(milliseconds=self.random.lognormvariate(5.5, 1.0))

    def _end(self, stay: Stay, lifetime: int | None) -> datetime | None:
        if lifetime is None:
            return None
        if stay.ends:
            return stay.ends
        if (self.now - stay.begins).days < lifetime:
            return stay.begins + timedelta(days=lifetime)
        return self.now + timedelta(days=self.random.uniform(0.1, lifetime))

    def _fill(self, row: Environment, version: TemplateVersion) -> dict[str, str]:
        """The answers to the form, and what the quota grants by them."""
        spec = version.parsed()
        row.size = self.random.choice(spec.sizes).name if spec.sizes else ""
        row.parameters = {one.name: self._answer(one) for one in spec.parameters}
        hard = template_spec.render_quota(spec, row.size, row.parameters)
        row.reserved_cpu, row.reserved_memory = placement.reserved(hard)
        return hard

    def _answer(self, parameter: template_spec.Parameter) -> str:
        samples = {"image": "registry.example.com/web:1", "host": "web.example.com", "pull_request": "418"}
        return self.random.choice(parameter.choices or (parameter.default or samples.get(parameter.name, ""),))

    def _account(self, row: Environment, place: int, grant: Grant) -> Account:
        use = Use(grant, grants.levels(self.random, grant))
        still = tuple(self.random.randint(0, one.units * 2 // 3) for one in grant.still)
        account = Account(row.pk, row.created_at, row.deleted_at, place, grant, use, still, self.random.getrandbits(12))
        if row.deleted_at is None:
            self._newest(row, account)
        return account

    def _newest(self, row: Environment, account: Account) -> None:
        """The figures of this hour on the environment."""
        factor = self.rhythm.hour(account.offset, hour_number(self.now))
        units = account.use.amounts(factor)
        pairs = [*zip(account.grant.moving, units, strict=True), *zip(account.grant.still, account.still, strict=True)]
        row.usage = {one.name: [one.quantity(used), one.hard] for one, used in pairs}
        ratios = (quantities.ratio(quantities.parse(used), quantities.parse(hard)) for used, hard in row.usage.values())
        row.fullest = float(max(ratios))
        row.usage_at = row.counted_until = self.now

    def members(self, row: Environment) -> Iterator[Member]:
        proven = row.phase == Phase.READY or None
        people = self.company.people[row.team_id or 0]
        others = self.random.sample(people, min(len(people), self.random.randint(1, 5)))
        for user in dict.fromkeys([row.owner, *others]):
            role = (
                row.template_spec.owner_role if user == row.owner else self.random.choice([Role.DEVELOPER, Role.VIEWER])
            )
            yield Member(
                environment=row,
                person=user,
                email=user.email,
                username=user.username,
                role=role,
                added_by=row.owner,
                added_at=row.created_at + timedelta(hours=self.random.uniform(0, 200)),
                in_group=proven,
                bound=proven,
                allowed=proven,
                checked_at=self.now if proven else None,
            )

    def groups(self, row: Environment) -> Iterator[Group]:
        for role in Role:
            yield Group(environment=row, role=role, name=f"{row.namespace}-{role}", directory_id=f"{row.pk.hex}-{role}")

    def conditions(self, row: Environment) -> Iterator[Condition]:
        steps = STEPS if row.wanted else REMOVALS
        broken = self.random.randrange(1, len(steps)) if row.phase in (Phase.DEGRADED, Phase.FAILED) else len(steps)
        if row.phase in (Phase.PROVISIONING, Phase.DELETING):
            broken = self.random.randrange(len(steps))
        for number, step in enumerate(steps):
            yield Condition(environment=row, type=step.type, **self._condition(row, number - broken))

    def _condition(self, row: Environment, beyond: int) -> dict[str, Any]:
        """Done, the one where it stands, or what comes after it."""
        if beyond < 0:
            return {"status": Status.DONE, "duration_ms": 12, "last_transition_at": row.created_at}
        if beyond > 0:
            return {"status": Status.PENDING, "last_transition_at": row.created_at}
        if row.phase == Phase.FAILED:
            return {"status": Status.FAILED, "reason": "Forbidden", "message": "The cluster refused it.", "attempts": 1}
        later = self.now + timedelta(seconds=40)
        waiting = {"status": Status.WAITING, "reason": "Timeout", "message": "The cluster did not answer."}
        return waiting | {"attempts": 3, "next_try_at": later, "last_transition_at": self.now}

    def events(self, row: Environment) -> Iterator[Event]:
        """The first and last lines of an environment's life, and what happened between them, in order."""
        end = row.deleted_at or self.now
        yield Event(
            environment=row,
            actor=row.owner,
            kind=Activity.REQUESTED,
            message=f"Requested by {row.owner} from {row.version}.",
            at=row.created_at,
        )
        if row.phase in _YOUNG:
            return
        message = "Ready to use. Everything is set up and access has been verified."
        yield Event(environment=row, kind=Activity.READY, message=message, tone="ok", at=row.ready_at)
        for part in sorted(self.random.random() for _ in range(_EVENTS - 2)):
            yield self._happening(row, row.created_at + (end - row.created_at) * part)
        if row.deleted_at:
            yield Event(
                environment=row,
                kind=Activity.DELETED,
                message="The namespace and the access groups were deleted.",
                at=end,
            )

    def _happening(self, row: Environment, at: datetime) -> Event:
        kind, message, tone = self.random.choice(_HAPPENINGS)
        text = message.format(actor=row.owner, number=self.random.randrange(1900))
        actor = row.owner if "{actor}" in message else None
        return Event(environment=row, actor=actor, kind=kind, message=text, tone=tone, at=at)


def _granted(hard: tuple[tuple[str, str], ...]) -> Grant:
    return grants.grant(dict(hard))


def hour_number(moment: datetime) -> int:
    """Hours since a Monday's midnight (1 January 2024)."""
    return int((moment.timestamp() - 1704067200) // 3600)
