"""A company for the bench: clusters, rates, templates, teams and people. The same for the same seed."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from environments import spec as template_spec
from environments.models import Cluster, Directory, Rate, Team, Template, TemplateVersion, User
from tests.bench import bulk

CLUSTERS = ("amsterdam", "berlin", "chicago", "dublin", "edmonton", "frankfurt")
TEAMS, MANAGERS, ADMINS = 60, 40, 5
_SIZES = (("small", "1", "2Gi", "20Gi", 0), ("medium", "2", "8Gi", "50Gi", 0), ("large", "8", "32Gi", "200Gi", 0))
_GPU_SIZES = (("one", "4", "16Gi", "100Gi", 1), ("four", "16", "64Gi", "500Gi", 4))


@dataclass(frozen=True)
class Company:
    """Everything that an environment refers to."""

    clusters: list[Cluster]
    directory: Directory
    versions: dict[str, list[TemplateVersion]]  # by the template's slug, oldest first
    teams: list[Team]
    people: dict[int, list[User]]  # by the team's id

    def owner(self, random: Random) -> tuple[User, Team]:
        """Somebody, and a team of theirs; the first teams have more environments than the last ones."""
        team = self.teams[int(len(self.teams) * random.random() ** 1.6)]
        return random.choice(self.people[team.pk]), team


def found(random: Random, days: int, developers: int) -> Company:
    """Make the company. Beside its own people it has dana and theo (developers), max (manager) and ada (admin)."""
    today = timezone.now().date()
    clusters = [_cluster(slug) for slug in CLUSTERS]
    bulk.create(Rate, [rate for index, row in enumerate(clusters) for rate in _rates(row, index, today, days)])
    directory = Directory.objects.create(
        name="Company directory", kind=Directory.Kind.SCIM, url="https://idp.example.com/scim/v2", is_default=True
    )
    teams = Team.objects.bulk_create(_team(number) for number in range(TEAMS))
    return Company(clusters, directory, _versions(), teams, _people(random, teams, developers))


def _cluster(slug: str) -> Cluster:
    now = timezone.now()
    return Cluster.objects.create(
        slug=slug,
        name=slug.capitalize(),
        server=f"https://api.{slug}.example.com:6443",
        credential="bench",
        checked_at=now,
        observed_at=now,
    )


def _rates(cluster: Cluster, index: int, today: date, days: int) -> list[Rate]:
    """One since before the year, and on two clusters of three another in the middle of a month."""
    begin = (today - timedelta(days=days + 31)).replace(day=1)
    starts = [begin]
    if index % 3:
        starts.append((today - timedelta(days=days // 2 + 30 * index)).replace(day=15))
    rows = []
    for number, day in enumerate(sorted(set(starts))):
        factor = Decimal(100 + 3 * index + 7 * number) / 100
        prices = {"cpu_hour": "0.031", "memory_hour": "0.0042", "storage_hour": "0.000137", "gpu_hour": "1.85"}
        priced = {name: (Decimal(text) * factor).quantize(Decimal("0.000001")) for name, text in prices.items()}
        rows.append(Rate(cluster=cluster, starts_on=day, **priced))
    return rows


def _team(number: int) -> Team:
    name = f"team-{number:02}"
    return Team(
        name=f"Team {number:02}", group=name, manager_group=f"{name}-managers", cost_centre=f"CC-{1000 + number // 3}"
    )


def _versions() -> dict[str, list[TemplateVersion]]:
    """The shipped templates and two of the bench's own; most were published anew once, with a little more memory."""
    call_command("import_templates", without_check=True, verbosity=0)
    _template("team-namespace", "Team namespace", _SIZES, None)
    _template("data-lab", "Data lab", (*_SIZES[1:], *_GPU_SIZES), 180)
    for slug in ("namespace", "team-namespace", "data-lab"):
        _publish_anew(TemplateVersion.objects.get(template__slug=slug))
    found: dict[str, list[TemplateVersion]] = {}
    for version in TemplateVersion.objects.select_related("template").order_by("template", "number"):
        found.setdefault(version.template.slug, []).append(version)
    return found


def _template(slug: str, name: str, sizes: tuple[tuple[str, str, str, str, int], ...], lifetime: int | None) -> None:
    spec = {
        "quota": {"services": "20", "services.loadbalancers": "0", "configmaps": "40", "persistentvolumeclaims": "10"},
        "sizes": [_size(*size) for size in sizes],
        "limits": {"default": {"cpu": "200m", "memory": "256Mi"}},
        "lifetime_days": lifetime,
    }
    TemplateVersion.objects.create(
        template=Template.objects.create(slug=slug, name=name, summary="For the bench."),
        number=1,
        state=TemplateVersion.State.PUBLISHED,
        spec=template_spec.dump(template_spec.parse(spec)),
        published_at=timezone.now(),
    )


def _size(name: str, cpu: str, memory: str, storage: str, gpus: int) -> dict[str, Any]:
    quota = {"requests.cpu": cpu, "requests.memory": memory, "limits.memory": memory, "requests.storage": storage}
    return {"name": name, "quota": quota | {"requests.nvidia.com/gpu": str(gpus), "pods": "60"}}


def _publish_anew(old: TemplateVersion) -> None:
    old.state = TemplateVersion.State.RETIRED
    old.save()
    spec = old.spec | {"quota": old.spec["quota"] | {"configmaps": "50", "secrets": "50"}}
    TemplateVersion.objects.create(
        template=old.template,
        number=old.number + 1,
        state=TemplateVersion.State.PUBLISHED,
        changelog="More ConfigMaps, and Secrets are counted.",
        spec=spec,
        published_at=timezone.now(),
    )


def _people(random: Random, teams: list[Team], count: int) -> dict[int, list[User]]:
    """Developers in one or two teams each, managers of one to three teams, and admins."""
    names = [f"person{number:04}" for number in range(count)]
    developers = User.objects.bulk_create(_person(name) for name in [*names, "dana", "theo"])
    managers = User.objects.bulk_create(
        _person(name, is_manager=True) for name in [*(f"manager{number:02}" for number in range(MANAGERS - 1)), "max"]
    )
    admins = [f"admin{number}" for number in range(ADMINS - 1)]
    User.objects.bulk_create(_person(name, is_staff=True, is_superuser=True) for name in [*admins, "ada"])
    people: dict[int, list[User]] = {team.pk: [] for team in teams}
    for number, user in enumerate(developers):
        home = teams[number] if number < len(teams) else random.choice(teams)  # nobody's team is empty
        home = teams[0] if user.username in ("dana", "theo") else home
        for team in {home, random.choice(teams)} if random.random() < 0.2 else {home}:
            people[team.pk].append(user)
    bulk.create(
        Team.members.through,
        [Team.members.through(team_id=pk, user_id=user.pk) for pk, users in people.items() for user in users],
    )
    _appoint(random, teams, managers)
    return people


def _appoint(random: Random, teams: list[Team], managers: list[User]) -> None:
    """Who manages which teams; max has the first three, the largest ones."""
    *others, last = managers
    pairs = {(team.pk, last.pk) for team in teams[:3]}
    pairs |= {(team.pk, user.pk) for user in others for team in random.sample(teams, random.randint(1, 3))}
    rows = [Team.managers.through(team_id=team, user_id=user) for team, user in sorted(pairs)]
    bulk.create(Team.managers.through, rows)


def _person(username: str, **more: Any) -> User:
    names = {"first_name": username.capitalize(), "last_name": "Example"}
    return User(username=username, email=f"{username}@example.com", **names, **more)
