"""Invite a person to a local account and print the link, for example a new installation's first admin."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from environments.models import Invitation, Team
from portal.local import invitations


class Command(BaseCommand):
    help = "Invite a person to a local account and print the link. Sends no email."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", choices=Invitation.Role.values, default=Invitation.Role.DEVELOPER)
        parser.add_argument("--name", default="", help="First and last name.")
        parser.add_argument("--team", action="append", default=[], help="A team's name. Repeat it for several teams.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL_ACCOUNTS:
            raise CommandError("Local accounts are off. Set LOCAL_ACCOUNTS=true.")
        first, _, last = options["name"].partition(" ")
        invitation = Invitation(email=options["email"], role=options["role"], first_name=first, last_name=last)
        try:
            validate_email(invitation.email)
            invitations.invite(invitation, _teams(options["team"]), by=None)
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error
        self.stdout.write(invitations.link(invitation))


def _teams(names: list[str]) -> list[Team]:
    teams = list(Team.objects.filter(name__in=names))
    missing = sorted(set(names) - {team.name for team in teams})
    if missing:
        raise CommandError(f"There is no team {', '.join(missing)}.")
    return teams
