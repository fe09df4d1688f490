"""The daily look at who members are: links them to people, and has role bindings follow names in the directory."""

import logging
import random
import time
from collections import defaultdict

from django.db import transaction

from environments import directory
from environments.actions import identities, team_members
from environments.directory import DirectoryClient, Person
from environments.lib.errors import PermanentError, ReconcileError
from environments.models import Directory, Environment, Member

logger = logging.getLogger(__name__)

MOST_SECONDS = 450.0  # a broker hands out a task again after ten minutes; the next day goes on with others


def refresh() -> None:
    """Link members to people and teams, and write down their names. A directory that is silent changes nothing."""
    identities.link_waiting()
    team_members.follow()
    deadline = time.monotonic() + MOST_SECONDS
    for row in Directory.objects.all():
        people: dict[str, list[Member]] = defaultdict(list)
        for member in _members(row):
            people[member.directory_id].append(member)
        for person_id in random.sample(sorted(people), len(people)):
            if time.monotonic() > deadline:
                return
            try:
                _look(directory.connect(row), person_id, people[person_id])
            except PermanentError as error:
                logger.warning("directory %s: %s", row, error.reason)  # about one person: the others are looked at
            except ReconcileError as error:
                logger.warning("directory %s: %s", row, error.reason)
                break


def _members(row: Directory) -> list[Member]:
    """The members of what is not over whom the directory knows."""
    live = Environment.objects.live().granted().filter(directory=row).order_by()
    rows = Member.objects.filter(environment__in=live, wanted=True).exclude(directory_id="")
    return list(rows.select_related("environment__cluster", "person"))


def _look(client: DirectoryClient, person_id: str, members: list[Member]) -> None:
    person = client.read_person(person_id, members[0].directory_email or members[0].email)
    if person is not None and person.id == person_id:
        for member in members:
            _write_down(member, person)
    elif person is None:
        _find_successor(client, members)


def _write_down(member: Member, person: Person) -> None:
    if (person.email, person.username) == (member.directory_email, member.username):
        return
    with transaction.atomic():
        identities.directory_says(member, person)


def _find_successor(client: DirectoryClient, members: list[Member]) -> None:
    """Who is not shown may have left, and somebody else have their address."""
    found = client.find_person(members[0].email)
    if found is None or found.id == members[0].directory_id:
        return
    for member in members:
        if not member.address_lost:
            with transaction.atomic():
                identities.address_passed_on(member)
