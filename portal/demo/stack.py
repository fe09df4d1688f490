"""Starts and stops the demo's parts: identity provider, clusters, database, queue, web server."""

import contextlib
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.demo.idp import PASSWORD, PEOPLE, IdentityProvider
from portal.demo.options import Options
from portal.demo.ports import answers

if TYPE_CHECKING:
    from portal.demo.places import Place

_IDP_SECONDS = 60.0  # a first start creates keys, people and clients


class Stack:
    """The demo's parts, started in order and stopped in reverse."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._closing = contextlib.ExitStack()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start everything. Raises RuntimeError with a sentence if a part cannot start."""
        options = self.options
        options.data.mkdir(parents=True, exist_ok=True)
        _refuse_taken(options.port)
        (options.data / "idp").mkdir(exist_ok=True)
        provider = IdentityProvider(options.data / "idp", options.port + 1, options.url)
        provider.start()
        self._closing.callback(provider.stop)
        _environment(options, provider)
        self._start_portal(provider)
        signal.signal(signal.SIGTERM, lambda *_: self._stopped.set())

    def wait(self) -> None:
        """Wait for Ctrl-C or a termination signal."""
        while not self._stopped.wait(1.0):
            pass

    def stop(self) -> None:
        """Stop everything that was started."""
        self._closing.close()

    def say_hello(self) -> None:
        """Print the address and the accounts."""
        lines = [
            "",
            f"  Open {os.environ.get('PORTAL_NAME', 'Allotment')}:  {self.options.url}",
            "",
            f"  Sign in as one of these people. Everyone's password is  {PASSWORD}",
            *(f"    {name:<6} {part}" for name, _, _, part in PEOPLE),
            "",
            f"  Ctrl-C stops everything. The next run continues with the data in {self.options.data}.",
            "",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _start_portal(self, provider: IdentityProvider) -> None:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from portal.demo import places, seed, services

        found: list[Place] = self._closing.enter_context(places.clusters(self.options))
        provider.wait_ready(_IDP_SECONDS)
        seed.base(provider, found)
        self._closing.enter_context(services.queue())
        self._closing.enter_context(services.web(self.options.port))
        seed.history()


def _environment(options: Options, provider: IdentityProvider) -> None:
    """Set the demo's settings before Django reads them."""
    mail = options.data / "mail"
    mail.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "SECRET_KEY": _secret(options.data / "secret_key"),
        "DATABASE_URL": f"sqlite:///{options.data / 'portal.sqlite3'}",
        "BROKER_URL": "memory://localhost",
        "PORTAL_URL": options.url,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_NAME": "Demo sign-in",
        "OIDC_CLIENT_ID": provider.oidc_client_id,
        "OIDC_CLIENT_SECRET": provider.oidc_client_secret,
        "MAIL_FOLDER": str(mail),
        "SECURE": "false",
        "COLLECTED_STATIC": "false",
        "SWEEP_SECONDS": "5",
        "OBSERVE_SECONDS": "5",
        "ALERT_HOLD_SECONDS": "60",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "text"),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    os.environ.update(values)


def _secret(path: Path) -> str:
    """Return the secret key of this data folder, created at the first run."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(60))
    return path.read_text()


def _refuse_taken(port: int) -> None:
    if answers(port):
        raise RuntimeError(f"port {port} is in use. Choose another: make demo PORT=9000")
