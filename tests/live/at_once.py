"""Has the same thing done many times at the same moment, and prints what came of it as JSON.

The test runs it as a process of its own: threads that really work at once need a database that is not pytest's.
"""

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.core.exceptions import ValidationError  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from environments import actions  # noqa: E402
from environments.actions import memberships  # noqa: E402
from environments.lib.activity import Activity  # noqa: E402
from environments.lib.phases import Role  # noqa: E402
from environments.models import Cluster, Directory, Environment, Template, TemplateVersion, User  # noqa: E402

DONE = "done"


def at_once(acts: Iterable[Callable[[], object]]) -> dict[str, int]:
    """How often each answer was given: `done`, a refusal's sentence, or whatever else went wrong."""
    acts, answers = list(acts), []
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            act()
            answers.append(DONE)
        except ValidationError as refusal:
            answers.append(" ".join(refusal.messages))
        except Exception as error:
            answers.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(Counter(answers))


def person(name: str) -> User:
    """Somebody whom the local directory knows."""
    return User.objects.create(username=name, email=f"{name}@example.com")


def ask(owner: User, name: str) -> Environment:
    """Request an environment."""
    draft = actions.Draft(
        version=TemplateVersion.objects.select_related("template").get(template__slug="namespace"),
        name=name,
        cluster=Cluster.objects.get(),
        parameters={"cpu": "1000m", "memory": "1024Mi"},
    )
    return actions.request_environment(owner, draft)


def read(environment: Environment) -> Environment:
    """The environment as another page would have it."""
    return Environment.objects.select_related("owner", "team", "version__template", "directory").get(pk=environment.pk)


def with_limit(limit: int | None) -> None:
    """How many environments one person may have from now on."""
    Template.objects.update(per_person=limit)


def requests() -> dict[str, Any]:
    """Twenty requests of somebody who may have two."""
    owner = person("rita")
    with_limit(2)
    answers = at_once(lambda number=number: ask(owner, f"shop {number}") for number in range(20))
    with_limit(None)
    return {"answers": answers, "rows": Environment.objects.filter(owner=owner).count()}


def heirs() -> dict[str, Any]:
    """Eight environments of eight people, handed to somebody who may have two."""
    heir = person("henry")
    made = [ask(person(f"giver{number}"), "gift") for number in range(8)]
    with_limit(2)
    rows = [read(each) for each in made]
    answers = at_once(lambda row=row: memberships.hand_over(row, row.owner, heir.email, keep=None) for row in rows)
    with_limit(None)
    return {"answers": answers, "rows": Environment.objects.filter(owner=heir).count()}


def handovers() -> dict[str, Any]:
    """One environment, handed to eight people."""
    owner = person("olga")
    row = ask(owner, "wanted")
    people = [person(f"heir{number}") for number in range(8)]
    rows = [(read(row), heir) for heir in people]
    answers = at_once(lambda one=one, h=h: memberships.hand_over(one, owner, h.email, keep=None) for one, h in rows)
    return {"answers": answers, "rows": read(row).events.filter(kind=Activity.OWNER_CHANGED).count()}


def extendable(owner: User) -> Environment:
    """An environment in its last days, whose end may be put off twice."""
    row = ask(owner, "longer")
    row.spec = row.spec | {"extension": {"times": 2}}
    row.ends_at = timezone.now() + timedelta(days=1)
    row.save()
    return row


def same_extension() -> dict[str, Any]:
    """The same click eight times."""
    owner = person("erin")
    row = extendable(owner)
    until = read(row).extended_end()
    rows = [read(row) for _ in range(8)]
    answers = at_once(lambda one=one: actions.extend_environment(one, owner, until=until) for one in rows)
    return {"answers": answers, "rows": read(row).extensions}


def extensions() -> dict[str, Any]:
    """Eight people who extend for as long as their page offers another end."""
    owner = person("emil")
    row = extendable(owner)

    def go_on() -> None:
        while until := read(row).extended_end():
            try:
                actions.extend_environment(read(row), owner, until=until)
            except ValidationError:
                continue  # another one was first: look again

    answers = at_once(go_on for _ in range(8))
    return {"answers": answers, "rows": read(row).events.filter(kind=Activity.EXTENDED).count()}


def same_member() -> dict[str, Any]:
    """The same person added eight times."""
    owner = person("mona")
    row = ask(owner, "open")
    person("newcomer")
    rows = [read(row) for _ in range(8)]
    answers = at_once(
        lambda one=one: memberships.add_members(one, owner, ["newcomer@example.com"], Role.VIEWER) for one in rows
    )
    return {"answers": answers, "rows": row.members.count()}


def members() -> dict[str, Any]:
    """Eight people added to an environment with room for four."""
    owner = person("nina")
    row = ask(owner, "full")
    memberships.MAX_MEMBERS = 5
    emails = [person(f"guest{number}").email for number in range(8)]
    rows = [(read(row), email) for email in emails]
    answers = at_once(lambda one=one, e=e: memberships.add_members(one, owner, [e], Role.VIEWER) for one, e in rows)
    return {"answers": answers, "rows": row.members.count()}


def main() -> None:
    """All of it, one after another."""
    call_command("migrate", verbosity=0)
    call_command("import_templates", without_check=True, verbosity=0, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    Cluster.objects.create(slug="c", name="C", server="https://api.example.com:6443", credential="t")
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    verbs = (requests, heirs, handovers, same_extension, extensions, same_member, members)
    sys.stdout.write(json.dumps({verb.__name__: verb() for verb in verbs}))


if __name__ == "__main__":
    main()
