"""What the two identity providers made with Django have in common: people, a sign-in page, and a way to serve.

Runs in the provider's own environment (tests/packages.py) and imports nothing of this repository. The program that
imports it reads its configuration as one JSON document from standard input, and exits when standard input ends.
"""

import json
import os
import sys
import threading
from typing import Any

import django
from django.conf import settings

SIGN_IN = "<form method=post>{% csrf_token %}{{ form }}<button>Sign in</button></form>"


def configure(app: str, **more: Any) -> dict[str, Any]:
    """Set Django up with the provider's app and settings, and return the document."""
    document = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", app]
    settings.configure(
        SECRET_KEY=document["secret_key"],
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="__main__",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": document["database"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=apps,
        MIGRATION_MODULES={name.rpartition(".")[2]: None for name in apps},
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "context_processors": ["django.template.context_processors.request"],
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", {"registration/login.html": SIGN_IN}),
                        "django.template.loaders.app_directories.Loader",
                    ],
                },
            }
        ],
        LOGIN_URL="/sign-in/",
        LOGGING={
            "version": 1,
            "handlers": {"log": {"class": "logging.StreamHandler"}},
            "loggers": {"django.request": {"handlers": ["log"]}},
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        **{name: value(document) if callable(value) else value for name, value in more.items()},
    )
    django.setup()
    return document


def make_people(document: dict[str, Any]) -> None:
    """Create tables and people, unless they are there."""
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    for person in document["people"]:
        names = {"first_name": person["given_name"], "last_name": person["family_name"], "email": person["email"]}
        user, is_new = User.objects.get_or_create(username=person["name"], defaults=names)
        if is_new:
            user.set_password(document["password"])
            user.save()
            user.groups.set([Group.objects.get_or_create(name=name)[0] for name in person["groups"]])


def claims_of(document: dict[str, Any], user: Any) -> dict[str, Any]:
    """What OpenID Connect says of a person. `email_verified` is left out for whom nothing is known."""
    verified = next(person["verified"] for person in document["people"] if person["name"] == user.username)
    claims = {
        "name": user.get_full_name(),
        "given_name": user.first_name,
        "family_name": user.last_name,
        "preferred_username": user.username,
        "email": user.email,
    }
    return claims if verified is None else claims | {"email_verified": verified}


def groups_of(user: Any) -> list[str]:
    """The names of a person's groups."""
    return sorted(user.groups.values_list("name", flat=True))


def pages(prefix: str, app: str) -> list[Any]:
    """The addresses of the provider below a prefix, and of the sign-in page."""
    from django.contrib.auth.views import LoginView
    from django.urls import include, path

    return [path("sign-in/", LoginView.as_view()), path(f"{prefix}/", include(f"{app}.urls", namespace=app))]


def serve(document: dict[str, Any]) -> None:
    """Answer on the port of the loopback, until the input ends."""
    from django.core.servers.basehttp import run
    from django.core.wsgi import get_wsgi_application

    run("127.0.0.1", document["port"], get_wsgi_application(), threading=True)


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)
