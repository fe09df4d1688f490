"""ColdFront's allocation list and allocation page. Runs in its own virtual environment, so it imports nothing else.

`python peer_visits.py OUT.json ALLOCATIONS`, with DB_URL naming an empty database. A project stands for a team, an
allocation for an environment: 2 to 6 people, four quotas with what is used of each. Loaded in bulk through its models.
"""

import datetime
import json
import os
import platform
import random
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

RUNS, WARM_UP = 20, 3
PROJECTS, EACH = 60, 5  # allocations of one person
QUOTAS = (("Cores", "8", 3), ("Memory (GiB)", "32", 12), ("Storage (GiB)", "200", 80), ("GPUs", "4", 1))


def fill(allocations: int) -> None:
    """So many active allocations, with the choices that its own set-up makes."""
    chance = random.Random(1)
    people = _people(allocations // EACH)
    projects = _projects(people)
    rows = _allocations(chance, projects, allocations)
    _members(chance, rows, {project.pk: people[number::PROJECTS] for number, project in enumerate(projects)})
    _quotas(rows)


def _people(count: int) -> list:
    """Developers and an admin, with the profiles that a first sign-in makes."""
    from coldfront.core.user.models import UserProfile
    from django.contrib.auth.models import User

    names = [f"person{number:04}" for number in range(count)]
    people = User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
    UserProfile.objects.bulk_create(UserProfile(user=user) for user in people)
    User.objects.create(username="ada", is_staff=True, is_superuser=True)
    return people


def _projects(people: list) -> list:
    """One for each team, with its manager and its people."""
    from coldfront.core.field_of_science.models import FieldOfScience
    from coldfront.core.project.models import (
        Project,
        ProjectStatusChoice,
        ProjectUser,
        ProjectUserRoleChoice,
        ProjectUserStatusChoice,
    )

    field = FieldOfScience.objects.first() or FieldOfScience.objects.create(description="Other")
    facts = {"description": "For the bench.", "field_of_science": field}
    facts["status"] = ProjectStatusChoice.objects.get(name="Active")
    projects = Project.objects.bulk_create(
        Project(title=f"Team {number:02}", pi=people[number], **facts) for number in range(PROJECTS)
    )
    user, manager = (ProjectUserRoleChoice.objects.get(name=name) for name in ("User", "Manager"))
    status = ProjectUserStatusChoice.objects.get(name="Active")
    ProjectUser.objects.bulk_create(
        ProjectUser(user=each, project=projects[at % PROJECTS], role=user if at >= PROJECTS else manager, status=status)
        for at, each in enumerate(people)
    )
    return projects


def _allocations(chance: random.Random, projects: list, count: int) -> list:
    """Each on one of six clusters; the first teams have more of them than the last ones."""
    from coldfront.core.allocation.models import Allocation, AllocationStatusChoice
    from coldfront.core.resource.models import Resource, ResourceType

    kind = {"resource_type": ResourceType.objects.get(name="Cluster"), "description": "For the bench."}
    clusters = [Resource.objects.create(name=f"Cluster {number}", **kind) for number in range(6)]
    today, active = datetime.datetime.now(datetime.UTC).date(), AllocationStatusChoice.objects.get(name="Active")
    rows = Allocation.objects.bulk_create(
        [
            Allocation(
                project=projects[int(PROJECTS * chance.random() ** 1.6)],
                status=active,
                start_date=today - datetime.timedelta(days=chance.randrange(365)),
                end_date=today + datetime.timedelta(days=chance.randrange(1, 365)),
                justification="For building and testing an application",
                is_changeable=True,
            )
            for _ in range(count)
        ],
        batch_size=1000,
    )
    through = Allocation.resources.through
    pairs = [through(allocation_id=row.pk, resource_id=chance.choice(clusters).pk) for row in rows]
    through.objects.bulk_create(pairs, batch_size=1000)
    return rows


def _members(chance: random.Random, rows: list, people: dict) -> None:
    """2 to 6 people of the team for each."""
    from coldfront.core.allocation.models import AllocationUser, AllocationUserStatusChoice

    active = AllocationUserStatusChoice.objects.get(name="Active")
    AllocationUser.objects.bulk_create(
        [
            AllocationUser(allocation=row, user=user, status=active)
            for row in rows
            for user in chance.sample(people[row.project_id], min(len(people[row.project_id]), chance.randint(2, 6)))
        ],
        batch_size=1000,
    )


def _quotas(rows: list) -> None:
    """What each allocation may use, and what it uses."""
    from coldfront.core.allocation.models import (
        AllocationAttribute,
        AllocationAttributeType,
        AllocationAttributeUsage,
        AttributeType,
    )

    number = AttributeType.objects.get(name="Float")
    for name, most, used in QUOTAS:
        kind = AllocationAttributeType.objects.create(
            name=name, attribute_type=number, has_usage=True, is_private=False
        )
        quotas = [AllocationAttribute(allocation=row, allocation_attribute_type=kind, value=most) for row in rows]
        quotas = AllocationAttribute.objects.bulk_create(quotas, batch_size=1000)
        AllocationAttributeUsage.objects.bulk_create(
            [AllocationAttributeUsage(allocation_attribute=quota, value=used) for quota in quotas], batch_size=1000
        )


def visits() -> list[dict]:
    """The four pages: list and allocation, as admin and as somebody with a few allocations."""
    from coldfront.core.allocation.models import Allocation
    from django.contrib.auth.models import User

    person = User.objects.get(username=f"person{PROJECTS + 1:04}")
    theirs = Allocation.objects.filter(allocationuser__user=person).order_by("pk").first()
    pages = [
        ("list", "admin", "ada", "/allocation/?show_all_allocations=on"),
        ("page", "admin", "ada", f"/allocation/{theirs.pk}/"),
        ("list", "user", person.username, "/allocation/"),
        ("page", "user", person.username, f"/allocation/{theirs.pk}/"),
    ]
    return [
        {"page": page, "role": role} | measure(User.objects.get(username=name), path)
        for page, role, name, path in pages
    ]


def measure(user: object, path: str) -> dict:
    """As for the product's own pages: warm, in process, the median of 20."""
    from django.db import connection
    from django.test import Client

    client, count = Client(), 0
    client.force_login(user)

    def counted(execute, *arguments):
        nonlocal count
        count += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        response = client.get(path)
    assert response.status_code == 200, (path, response.status_code)
    times = []
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        client.get(path)
        times.append((time.perf_counter() - start) * 1000)
    times = sorted(times[WARM_UP:])
    return {
        "median_ms": round(statistics.median(times), 1),
        "min_ms": round(times[0], 1),
        "p95_ms": round(times[-(-len(times) * 95 // 100) - 1], 1),
        "runs": RUNS,
        "queries": count,
        "bytes": len(response.content),
    }


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "coldfront.config.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("initial_setup", "--force_overwrite", verbosity=0)
    fill(int(sys.argv[2]))
    names = ("coldfront", "django")
    report = {
        "versions": {name: version(name) for name in names} | {"python": platform.python_version()},
        "debug": settings.DEBUG,
        "rows": visits(),
    }
    Path(sys.argv[1]).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
