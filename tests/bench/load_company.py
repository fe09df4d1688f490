"""The people of the load bench, signed in, and the forms that they send."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module

import httpx
from bs4 import BeautifulSoup
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.db import connection

from environments.models import Cluster, Directory, Environment, Template, TemplateVersion, User
from tests.bench import calls
from tests.bench.load_cluster import Place

_FORM_TOKEN = "t" * 32
PARAMETERS = {"cpu": "1000m", "memory": "1024Mi"}


@dataclass(frozen=True)
class Company:
    """Who asks, where, and with which cookies."""

    cluster_row: Cluster
    version: int
    cookies: list[dict[str, str]]


def found(place: Place, people: int) -> Company:
    """Migrate, and add the cluster, a directory, templates without a limit for each person, and signed-in people."""
    call_command("migrate", verbosity=0)
    with open("/dev/null", "w") as silence:  # noqa: PTH123
        call_command("import_templates", without_check=True, verbosity=0, stdout=silence)
    Template.objects.update(per_person=None)
    row = Cluster.objects.create(
        slug="bench",
        name="Bench",
        server=place.server,
        credential=place.portal_token,
        certificate_authority=place.certificate_authority,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    users = [User.objects.create(username=f"p{n}", email=f"p{n}@example.com") for n in range(people)]
    version = TemplateVersion.objects.get(template__slug="namespace")
    return Company(row, version.pk, [_cookies(user) for user in users])


def recorded(place: Place, company: Company) -> calls.Recording:
    """The calls that the portal makes for an environment such as the forms ask for."""
    version = TemplateVersion.objects.select_related("template").get(pk=company.version)
    return calls.record(place, version, PARAMETERS, User.objects.order_by("pk")[0])


def submit(company: Company, url: str, count: int, connections: int) -> float:
    """Seconds in which all forms were taken. Raises where one was not."""
    start = time.monotonic()
    limits = httpx.Limits(max_connections=connections)
    with httpx.Client(base_url=url, timeout=60, limits=limits) as client, ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda number: _send(client, company, number), range(count)))
    return time.monotonic() - start


def ready_after() -> list[float]:
    """Seconds from each request to its Ready."""
    rows = Environment.objects.exclude(ready_at=None).values_list("created_at", "ready_at")
    return [(ready - created).total_seconds() for created, ready in rows]


def _send(client: httpx.Client, company: Company, number: int) -> None:
    form = {
        "csrfmiddlewaretoken": _FORM_TOKEN,
        "key": str(uuid.uuid4()),
        "name": f"load {number}",
        "cluster": str(company.cluster_row.pk),
        "version": str(company.version),
        "collaborator_role": "developer",
    } | {f"p_{name}": value for name, value in PARAMETERS.items()}
    cookies = company.cookies[number % len(company.cookies)]
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    answer = client.post("/catalog/namespace/request/", data=form, headers=headers)
    if answer.status_code != 302 or "/environments/" not in answer.headers["Location"]:
        said = BeautifulSoup(answer.text, "html.parser").select_one("[role=alert]")
        raise RuntimeError(f"the form was not taken: {answer.status_code} {said and said.get_text(' ', strip=True)}")


def _cookies(user: User) -> dict[str, str]:
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    connection.close()
    return {settings.SESSION_COOKIE_NAME: store.session_key, settings.CSRF_COOKIE_NAME: _FORM_TOKEN}
