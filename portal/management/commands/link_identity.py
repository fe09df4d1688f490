"""Link an account to a new identity at the identity provider, if no platform admin can sign in to do it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.models import UnlinkedIdentity, User
from portal import linking


class Command(BaseCommand):
    help = "List the identities whose sign-in was refused, or link one of them to an account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identity", nargs="?", type=int, help="The number of an identity. Empty: list all.")
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--to", metavar="USER", help="The account's user name or email address.")
        decision.add_argument("--another-person", action="store_true", help="Create an account at the next sign-in.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["identity"] is None:
            self._list()
            return
        identity = UnlinkedIdentity.objects.filter(pk=options["identity"]).first()
        if identity is None:
            raise CommandError(f"There is no identity {options['identity']}.")
        if not options["to"] and not options["another_person"]:
            raise CommandError("Whose is it? Add --to USER or --another-person.")
        try:
            self._decide(identity, options["to"])
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error

    def _list(self) -> None:
        for row in UnlinkedIdentity.objects.waiting().select_related("account"):
            account = f"{row.account.username} <{row.account.email}>" if row.account else "no account"
            verified = "verified" if row.email_trusted else "not verified"
            self.stdout.write(f"{row.pk}  {row.provider} {row.issuer} subject {row.subject}")
            self.stdout.write(
                f"    {row.name or row.username}, {row.email} ({verified}), {row.last_seen_at:%Y-%m-%d %H:%M} UTC"
            )
            self.stdout.write(f"    may belong to: {account}")

    def _decide(self, identity: UnlinkedIdentity, to: str | None) -> None:
        if to is None:
            linking.let_in(identity, by=None)
            self.stdout.write(f"The next sign-in of {identity} creates an account.")
            return
        user = _account(to)
        linking.link(user, identity, by=None)
        self.stdout.write(f"{identity} opens the account {user.username} <{user.email}> from now on.")


def _account(text: str) -> User:
    """The account with a user name or an address. Raises CommandError if there is none, or more than one."""
    found = list(User.objects.filter(username=text)) or list(User.objects.with_address(text))
    if len(found) != 1:
        names = ", ".join(user.username for user in found)
        raise CommandError(f"{len(found)} accounts match {text}: use a user name. {names}".strip())
    return found[0]
