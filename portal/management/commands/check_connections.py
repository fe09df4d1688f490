"""Check what the portal depends on, for example after an installation or a change of settings."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import connection_checks
from portal.sign_in_check import BAD


class Command(BaseCommand):
    help = (
        "Checks database, migrations, broker, mail server and identity providers, one line each. Exits with code 1 if "
        "something does not work. Changes nothing, sends no email, and prints no secret."
    )
    requires_system_checks = ()  # it says more than they do, also if they fail

    def handle(self, *args: Any, **options: Any) -> None:
        bad = 0
        for finding in connection_checks.check():
            bad += finding.tone == BAD
            self.stdout.write(f"{finding.tone.upper():<4}  {finding.what}: {finding.text}")
        if bad:
            raise CommandError(f"{bad} checks failed." if bad > 1 else "1 check failed.")
