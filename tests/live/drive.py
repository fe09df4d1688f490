"""Does one thing with the portal of the environment variables and prints the answer as JSON.

The live tests run it as a process of its own: pytest's own database is another one.
"""

import json
import os
import sys
import threading
import uuid
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client  # noqa: E402

from environments import actions  # noqa: E402
from environments.models import Cluster, Directory, Environment, TemplateVersion, User  # noqa: E402


def prepare(server: str, token: str) -> dict[str, Any]:
    """Migrate, and add a cluster, a directory, templates and Dana."""
    call_command("migrate", verbosity=0)
    call_command("import_templates", without_check=True, verbosity=0, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    Cluster.objects.create(slug="c", name="C", server=server, credential=token)
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    User.objects.create(username="dana", email="dana@example.com")
    return {}


def ask(name: str, key: str = "") -> dict[str, Any]:
    """Request an environment as Dana."""
    request = actions.Draft(
        version=TemplateVersion.objects.get(template__slug="namespace"),
        name=name,
        cluster=Cluster.objects.get(),
        key=uuid.UUID(key) if key else uuid.uuid4(),
        parameters={"cpu": "1000m", "memory": "1024Mi"},
    )
    environment = actions.request_environment(User.objects.get(), request)
    return {"id": str(environment.pk), "namespace": environment.namespace}


def ask_twice(name: str) -> dict[str, Any]:
    """Send the same form from eight threads at the same moment."""
    key, found, barrier = str(uuid.uuid4()), [], threading.Barrier(8)

    def send() -> None:
        barrier.wait()
        found.append(ask(name, key)["id"])
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"ids": sorted(set(found)), "answers": len(found), "rows": Environment.objects.filter(name=name).count()}


def delete(pk: str) -> dict[str, Any]:
    """Have an environment removed."""
    environment = Environment.objects.get(pk=pk)
    actions.delete_environment(environment, User.objects.get(), typed_name=environment.name)
    return {}


def sign_in() -> dict[str, Any]:
    """A session of Dana's, as its cookie; and her id."""
    client = Client()
    client.force_login(User.objects.get())
    return {"cookie": client.cookies[settings.SESSION_COOKIE_NAME].value, "user": str(User.objects.get().pk)}


def look(pk: str) -> dict[str, Any]:
    """Where an environment stands."""
    environment = Environment.objects.get(pk=pk)
    conditions = {row.type: [row.status, row.message] for row in environment.conditions.all()}
    return {"phase": environment.phase, "conditions": conditions, "events": environment.events.count()}


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[verb](*arguments)))
