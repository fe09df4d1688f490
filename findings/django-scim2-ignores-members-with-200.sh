#!/usr/bin/env bash
# django-scim2 0.23.0: POST and PUT of a group ignore `members` and answer 201 and 200; PATCH removes only by value.
#
# The adapter reads `displayName` and `externalId` alone. PATCH `add` works. PATCH `replace` and `remove` with a path
# (`members[value eq "1"]`, RFC 7644 §3.5.2.2) answer 501. `remove` with members as its value works, which the RFC does
# not have. ServiceProviderConfig announces PATCH without a reserve. Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check django-scim2==0.23.0
venv/bin/pip list 2>/dev/null | grep -iE '^(django|django-scim2|scim2-filter-parser) '
mkdir people && touch people/__init__.py

cat >people/models.py <<'PY'
from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Group(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=80, unique=True)


class User(AbstractSCIMUserMixin, AbstractUser):
    scim_groups = models.ManyToManyField(Group, related_name="user_set")
PY
cat >people/urls.py <<'PY'
from types import SimpleNamespace

from django.urls import include, path

urlpatterns = [path("scim/", include("django_scim.urls"))]


def anyone(get_response):
    def middleware(request):
        request.user = SimpleNamespace(is_anonymous=False, is_authenticated=True)
        return get_response(request)

    return middleware
PY
cat >try.py <<'PY'
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "people"],
    MIDDLEWARE=["people.urls.anyone"],
    ROOT_URLCONF="people.urls",
    AUTH_USER_MODEL="people.User",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    LOGGING_CONFIG=None,
    SCIM_SERVICE_PROVIDER={
        "NETLOC": "testserver",
        "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "x", "description": "x"}],
        "GROUP_MODEL": "people.models.Group",
    },
)
django.setup()
from django.core.management import call_command
from django.test import Client

call_command("migrate", run_syncdb=True, verbosity=0)
client, json = Client(), {"content_type": "application/scim+json"}
for name in ("ann", "ben"):
    client.post("/scim/Users", {"userName": name, "emails": [{"value": f"{name}@example.com"}]}, **json)
group = {"displayName": "team", "members": [{"value": "1"}]}


def patch(*operations):
    schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    return client.patch("/scim/Groups/1", {"schemas": schemas, "Operations": list(operations)}, **json)


def said(answer):
    members = answer.json().get("members")
    return answer.status_code, members and [member["value"] for member in members]


seen = {
    "POST with one member": said(client.post("/scim/Groups", group, **json)),
    "PUT with one member": said(client.put("/scim/Groups/1", group, **json)),
    "PATCH add two": said(patch({"op": "add", "path": "members", "value": [{"value": "1"}, {"value": "2"}]})),
    "PATCH replace by one": said(patch({"op": "replace", "path": "members", "value": [{"value": "1"}]})),
    "PATCH remove by path": said(patch({"op": "remove", "path": 'members[value eq "1"]'})),
    "PATCH remove by value": said(patch({"op": "remove", "path": "members", "value": [{"value": "1"}]})),
}
for what, answer in seen.items():
    print(f"{what}: {answer}")
expected = [(201, []), (200, []), (200, ["1", "2"]), (501, None), (501, None), (200, ["2"])]
assert list(seen.values()) == expected, "Changed"
PY
venv/bin/python try.py
