"""What the pages show, as plain dataclasses in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from environments import desired, manifests, quantities, template_actions
from environments import spec as template_spec
from environments.models import Condition, Environment, Event, Member, Template, TemplateVersion, User
from environments.permissions import may_edit, published_versions
from environments.phases import Phase, Status
from environments.spec import Size, TemplateSpec
from environments.steps import BY_TYPE, REMOVALS, STEPS

WARN, BAD = 80, 95  # percent of a quota at which a bar changes its colour
_RECENT = 8  # events on the environment's page
_SOON = timedelta(days=3)  # before the end, or a third of a short life: the page says so
_SLOW_POLL, _FAST_POLL = 5, 1  # seconds between refreshes of a live region


@dataclass(frozen=True)
class Card:
    """A template in the catalog."""

    template: Template
    version: TemplateVersion
    tags: list[str]


@dataclass(frozen=True)
class Line:
    """One line of a timeline. `when` is a moment or a duration, in words or as a time."""

    title: str
    tone: str = ""
    message: str = ""
    at: datetime | None = None
    took_ms: int | None = None
    next_try_at: datetime | None = None
    attempts: int = 0
    word: str = ""  # the status for screen readers: done, waiting, failed, not yet


@dataclass(frozen=True)
class Bar:
    """One quota resource."""

    resource: str
    name: str
    used: str
    hard: str
    percent: int
    tone: str
    is_closed: bool = False  # none is allowed, and none is there


@dataclass(frozen=True)
class Notice:
    """The one sentence above everything else."""

    tone: str
    title: str
    text: str
    can_retry: bool = False
    next_try_at: datetime | None = None


@dataclass(frozen=True)
class Thing:
    """One object that the portal manages for an environment."""

    kind: str
    name: str
    says: str


@dataclass(frozen=True)
class Row:
    """An environment in the list, with its fullest quota resource."""

    environment: Environment
    bar: Bar | None


@dataclass(frozen=True)
class QuotaTable:
    """A template's sizes side by side: a line for each resource, its figure for each size."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Newer:
    """A version of the template that is newer than the environment's, and what moving there would mean."""

    version: TemplateVersion
    changes: list[str]
    shrinks: list[str]  # resources of which more is used than the version grants


@dataclass(frozen=True)
class EnvironmentPage:
    """Everything on an environment's page."""

    environment: Environment
    may_edit: bool
    is_member: bool
    notice: Notice | None
    timeline: list[Line]
    done: int
    bars: list[Bar]
    members: list[Member]
    things: list[Thing]
    events: list[Event]
    poll_seconds: int | None
    newer: Newer | None
    can_extend_to: datetime | None

    @property
    def is_ready(self) -> bool:
        """Whether the dashboard comes before the timeline."""
        return self.environment.phase in (Phase.READY, Phase.DEGRADED)

    @property
    def ends_soon(self) -> bool:
        """Whether the end is near enough to be said above everything else."""
        begin, end = self.environment.created_at, self.environment.ends_at
        if end is None or not self.environment.wanted:
            return False
        return end - timezone.now() < min(_SOON, (end - begin) / 3)

    @property
    def open_bars(self) -> list[Bar]:
        """The resources of which there may be any."""
        return [bar for bar in self.bars if not bar.is_closed]

    @property
    def closed_bars(self) -> list[Bar]:
        """The resources that the quota forbids altogether."""
        return [bar for bar in self.bars if bar.is_closed]

    @property
    def status(self) -> str:
        """Where things stand in one short sentence, for those who hear the page and for the tab's title."""
        if self.environment.phase in (Phase.PROVISIONING, Phase.DELETING):
            return f"{self.environment.phase}: {self.done} of {len(self.timeline)} done"
        return str(self.environment.phase)

    @property
    def percent_done(self) -> int:
        """How far along the timeline is."""
        return round(100 * self.done / len(self.timeline)) if self.timeline else 0


def catalog(user: User, search: str = "") -> list[Card]:
    """The published templates that somebody may request and whose name, summary or category holds the search."""
    versions = published_versions(user).order_by("template__category", "template__name").defer("template__readme")
    needle = search.strip().lower()
    found = [version for version in versions if needle in _haystack(version.template)]
    return [Card(version.template, version, tags(version.parsed())) for version in found]


def tags(spec: TemplateSpec) -> list[str]:
    """What a template gives, in a few words each."""
    sizes = len(spec.sizes)
    network = "isolated network" + (" + DNS" if spec.network.dns else ", no DNS")
    lifetime = f"{spec.lifetime_days} days" if spec.lifetime_days else "no end date"
    return [*([f"{sizes} sizes"] if sizes > 1 else []), network, f"{spec.owner_role.value} role", lifetime]


def quota_table(spec: TemplateSpec) -> QuotaTable:
    """What each size of a template allows, resource by resource."""
    quotas = [spec.quota | size.quota for size in spec.sizes] or [spec.quota]
    # The order is ours: PostgreSQL keeps none in JSON. What sets the sizes apart comes first.
    resources = sorted({resource for quota in quotas for resource in quota}, key=quantities.rank)
    resources.sort(key=lambda resource: len({quota.get(resource) for quota in quotas}) == 1)
    lines = [
        (quantities.name(resource), [_figure(resource, quota.get(resource)) for quota in quotas])
        for resource in resources
    ]
    return QuotaTable([_size_label(size) for size in spec.sizes] or ["Quota"], lines)


def rows(environments: Iterable[Environment]) -> list[Row]:
    """Environments as lines of the list."""
    return [Row(environment, next(iter(bars(environment.usage)), None)) for environment in environments]


def environment_page(environment: Environment, user: User) -> EnvironmentPage:
    """Everything on an environment's page. The environment comes from permissions.py."""
    lines = timeline(environment, list(environment.conditions.all()))
    members = list(environment.members.filter(wanted=True))
    return EnvironmentPage(
        environment=environment,
        may_edit=may_edit(user, environment),
        is_member=user.email.lower() in {member.email.lower() for member in members},
        notice=notice(environment, lines),
        timeline=lines,
        done=sum(1 for line in lines if line.tone == "ok"),
        bars=bars(environment.usage),
        members=members,
        things=things(environment) if environment.phase != Phase.DELETED else [],
        events=list(environment.events.select_related("actor")[:_RECENT]),
        poll_seconds=poll_seconds(environment, lines),
        newer=newer(environment),
        can_extend_to=environment.extended_end(),
    )


def timeline(environment: Environment, conditions: list[Condition]) -> list[Line]:
    """The steps in their order, from the request to Ready, or from the deletion to gone."""
    by_type = {condition.type: condition for condition in conditions}
    steps = STEPS if environment.wanted else REMOVALS
    lines = [_line(environment, by_type[step.type]) for step in steps if step.type in by_type]
    if not environment.wanted:
        return [Line("Deletion asked for", "ok", word="done"), *lines]
    first = Line("Request accepted", "ok", f"{environment.version}", at=environment.created_at, word="done")
    ready = environment.phase == Phase.READY
    last = Line("Ready", "ok", took_ms=_took(environment), word="done") if ready else Line("Ready", word="not yet")
    return [first, *lines, last]


def notice(environment: Environment, lines: list[Line]) -> Notice | None:
    """What is waiting and for whom, or what a person has to do; None where all is well."""
    failed = next((line for line in lines if line.tone == "bad"), None)
    if failed:
        return Notice("bad", f"{failed.title} failed.", failed.message, can_retry=True)
    waiting = next((line for line in lines if line.tone == "wait" and line.attempts), None)
    if waiting and waiting.next_try_at:
        title = f"Waiting at “{waiting.title}”."
        return Notice("wait", title, waiting.message, can_retry=True, next_try_at=waiting.next_try_at)
    if environment.orphaned_at and environment.wanted:
        text = f"{environment.orphaned_why} Hand it over to somebody, or delete it."
        return Notice("warn", "It has lost its owner.", text)
    worst = next(iter(bars(environment.usage)), None)
    if worst and worst.tone and environment.wanted:
        title = f"{worst.name}: {worst.percent} % of the quota is in use."
        return Notice(worst.tone, title, "The cluster refuses what would go over it.")
    return None


def bars(usage: dict[str, list[str]]) -> list[Bar]:
    """The quota's resources, fullest first."""
    rows = [(resource, quantities.parse(used), quantities.parse(hard)) for resource, (used, hard) in usage.items()]
    rows.sort(key=lambda row: (-quantities.ratio(row[1], row[2]), row[0]))
    return [_bar(resource, used, hard) for resource, used, hard in rows]


def newer(environment: Environment) -> Newer | None:
    """The published version, where it is not the environment's own; None for what is on its way out."""
    if not environment.wanted:
        return None
    version = (
        TemplateVersion.objects.filter(template=environment.version.template, state=TemplateVersion.State.PUBLISHED)
        .exclude(pk=environment.version_id)
        .first()
    )
    if version is None:
        return None
    old, new = environment.template_spec, version.parsed()
    return Newer(version, template_actions.differences(old, new), shrinks(environment, new))


def shrinks(environment: Environment, spec: TemplateSpec) -> list[str]:
    """Where a version would grant less than is used now, a sentence each."""
    try:
        hard = template_spec.render_quota(spec, environment.size, environment.parameters)
    except ValueError:
        return []  # it has other parameters; the move says which
    sentences = []
    for resource, (used, _) in environment.usage.items():
        if resource in hard and quantities.exceeds(used, hard[resource]):
            figures = [quantities.human(resource, quantities.parse(text)) for text in (used, hard[resource])]
            sentences.append(f"{quantities.name(resource)}: {figures[0]} in use, {figures[1]} granted.")
    return sentences


def things(environment: Environment) -> list[Thing]:
    """The objects that the portal keeps in place, and what each is for."""
    wanted = manifests.all_manifests(desired.desired_with_bindings(environment))
    return [Thing(item["kind"], item["metadata"]["name"], _says(item)) for item in wanted]


def poll_seconds(environment: Environment, lines: list[Line]) -> int | None:
    """How soon the page should look again; None once nothing is under way."""
    if environment.is_settled:
        return None
    return _SLOW_POLL if any(line.attempts > 3 for line in lines) else _FAST_POLL


def _line(environment: Environment, condition: Condition) -> Line:
    step = BY_TYPE[condition.type]
    done = condition.status == Status.DONE
    return Line(
        title=step.title if environment.wanted else step.removed_title,
        tone=condition.tone,
        message=condition.message or _after(step.needs, condition),
        at=condition.last_transition_at if done else None,
        took_ms=condition.duration_ms if done else None,
        next_try_at=condition.next_try_at if not done else None,
        attempts=condition.attempts,
        word={"Done": "done", "Waiting": "waiting", "Failed": "failed"}.get(condition.status, "not yet"),
    )


def _took(environment: Environment) -> int | None:
    """Milliseconds from the request to the first Ready."""
    if environment.ready_at is None:
        return None
    return round((environment.ready_at - environment.created_at).total_seconds() * 1000)


def _after(needs: tuple[str, ...], condition: Condition) -> str:
    if condition.status != Status.PENDING or not needs:
        return ""
    return f"after {BY_TYPE[needs[-1]].title.lower()}"


def _bar(resource: str, used: Decimal, hard: Decimal) -> Bar:
    percent = int(quantities.ratio(used, hard) * 100)
    tone = "bad" if percent >= BAD else "warn" if percent >= WARN else ""
    name, closed = quantities.name(resource), not used and not hard
    said = quantities.human(resource, used)
    if quantities.is_cpu(resource):
        said = said.partition(" ")[0]  # the limit beside it says the unit: 0.64 of 1 core
    return Bar(resource, name, said, quantities.human(resource, hard), percent, tone, closed)


def _size_label(size: Size) -> str:
    return size.label or size.name.replace("_", " ").capitalize()


def _figure(resource: str, amount: str | None) -> str:
    """An amount for reading. What the requester fills in has no figure yet."""
    if amount is None:
        return "no limit"
    if "${" in amount:
        return "your choice"
    value = quantities.parse(amount)
    return quantities.human(resource, value) if value else "none"


def _says(manifest: manifests.Manifest) -> str:
    if manifests.is_extra(manifest, settings.LABEL_DOMAIN):
        return "the template's own"
    match manifest["kind"]:
        case "Namespace":
            level = manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            return f"Pod Security {level}"
        case "ResourceQuota":
            return f"{len(manifest['spec']['hard'])} resources limited"
        case "LimitRange":
            return "defaults for containers without resources"
        case "ServiceAccount":
            return "no token in pods that do not ask"
        case "RoleBinding":
            return f"{len(manifest['subjects'])} subjects"
        case _:
            policies = {"deny-all": "nothing in or out …", "allow-dns": "… but DNS"}
            return policies.get(manifest["metadata"]["name"], "… and inside the namespace")


def _haystack(template: Template) -> str:
    return f"{template.name} {template.summary} {template.category}".lower()
