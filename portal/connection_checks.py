"""Checks what the portal depends on: database, migrations, broker, mail server and identity providers.

Findings hold no password, and no words of another server.
"""

import smtplib
from collections.abc import Iterator

from django.conf import settings
from django.core.mail import mailers
from django.core.mail.backends import smtp

from environments.lib import tls_problems
from portal import health, providers, sign_in_check
from portal.sign_in_check import BAD, OK, WARN, Finding

_CHECK = "Check EMAIL_URL."


def check() -> Iterator[Finding]:
    """Every connection, one after the other."""
    database = health.database_state()
    yield _of_state("Database", database, "The database answers.", "The database is not answering. Check DATABASE_URL.")
    if database == "ok":
        state = health.migrations_state()
        yield _of_state("Migrations", state, "All migrations are applied.", "Run manage.py migrate.")
    broker = health.broker_state()
    yield _of_state("Broker", broker, "The broker answers.", "The broker is not answering. Check BROKER_URL.")
    yield _of_mail()
    if database == "ok":  # allauth asks it for providers, too
        for provider in providers.configured():
            for finding in sign_in_check.check(provider):
                yield Finding(f"{provider.id}: {finding.what}", finding.tone, finding.text)


def _of_state(what: str, state: str, fine: str, wrong: str) -> Finding:
    return Finding(what, OK, fine) if state == "ok" else Finding(what, BAD, wrong)


def _of_mail() -> Finding:
    """Whether the mail server lets the portal in. Sends nothing."""
    backend = mailers["default"]
    if not isinstance(backend, smtp.EmailBackend):
        sentence = "Emails stay on this machine (MAIL_FOLDER)." if settings.MAIL_FOLDER else "EMAIL_URL sends nothing."
        return Finding("Mail server", WARN, sentence)
    try:
        try:
            backend.open()
        finally:
            backend.close()
    except smtplib.SMTPAuthenticationError:
        return _mail("does not accept user name and password")
    except smtplib.SMTPException as error:
        return _mail(f"does not let the portal in ({type(error).__name__})")
    except OSError as error:
        return Finding("Mail server", BAD, f"{tls_problems.explain(error, 'mail server').text} {_CHECK}")
    return Finding("Mail server", OK, "The mail server lets the portal in.")


def _mail(why: str) -> Finding:
    return Finding("Mail server", BAD, f"The mail server {why}. {_CHECK}")
