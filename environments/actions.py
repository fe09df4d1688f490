"""What people can do to environments: one function a verb, called by pages, admin and commands alike.

Each one checks, changes the row and adds the Event in one transaction, and enqueues the id after the commit.
Whether the actor may is the caller's question, answered by permissions.py, except where it says so here.
"""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from environments import directory, naming, tasks
from environments.errors import ReconcileError
from environments.models import (
    Cluster,
    Condition,
    Directory,
    Environment,
    Event,
    Group,
    Member,
    Team,
    TemplateVersion,
    User,
)
from environments.phases import Phase, Role
from environments.steps import REMOVALS, STEPS

_NAME_TRIES = 5  # random suffixes after the form's own


@dataclass(frozen=True)
class Request:
    """A filled-in request form, checked."""

    version: TemplateVersion
    name: str
    cluster: Cluster
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    purpose: str = ""
    size: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    team: Team | None = None
    collaborators: dict[str, Role] = field(default_factory=dict)  # e-mail address -> role


def request_environment(user: User, request: Request) -> Environment:
    """Record a request and have it provisioned. The same key twice gives the same environment.

    Raises ValidationError where the template, cluster or directory cannot be used (any more).
    """
    earlier = Environment.objects.filter(request_key=request.key, owner=user).first()
    if earlier:
        return earlier
    home = _usable_directory(request)
    suffixes = [naming.suffix_of(request.key), *(naming.new_suffix() for _ in range(_NAME_TRIES))]
    for suffix in suffixes:
        try:
            with transaction.atomic():
                return _create(user, request, home, suffix)
        except IntegrityError:
            # The namespace's name is taken, or the same form arrived twice at the same moment.
            earlier = Environment.objects.filter(request_key=request.key, owner=user).first()
            if earlier:
                return earlier
    raise ValidationError("No free name was found. Choose another name.")


def delete_environment(environment: Environment, actor: User, *, typed_name: str) -> None:
    """Have an environment removed. Raises ValidationError unless its name was typed correctly."""
    if typed_name.strip() != environment.name:
        raise ValidationError(f"Type {environment.name} to confirm.", code="name")
    with transaction.atomic():
        asked = Environment.objects.filter(pk=environment.pk, wanted=True)
        if not asked.update(wanted=False, phase=Phase.DELETING, generation=F("generation") + 1, next_reconcile_at=None):
            return  # asked for already
        environment.conditions.all().delete()
        Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in REMOVALS)
        _event(environment, actor, "Delete", f"Deletion asked for by {actor}.")
        tasks.enqueue_after_commit(environment.pk)


def try_again(environment: Environment, actor: User) -> None:
    """Have everything looked at now, whatever the back-off says; the way on from a failure that was mended."""
    phase = Phase.PROVISIONING if environment.ready_at is None else Phase.DEGRADED
    phase = phase if environment.wanted else Phase.DELETING
    with transaction.atomic():
        Environment.objects.filter(pk=environment.pk).update(generation=F("generation") + 1)
        Environment.objects.filter(pk=environment.pk, phase=Phase.FAILED).update(phase=phase)
        _event(environment, actor, "Retry", f"{actor} asked to try again.")
        tasks.enqueue_after_commit(environment.pk)


def unknown_people(addresses: list[str]) -> list[str]:
    """Those addresses that the default directory certainly does not know; none where it does not answer."""
    row = Directory.objects.filter(is_default=True).first()
    if row is None or not addresses:
        return []
    try:
        client = directory.connect(row)
        return [address for address in addresses if client.find_person(address) is None]
    except ReconcileError:
        return []  # said later, on the member's line


def _usable_directory(request: Request) -> Directory:
    """Raises ValidationError where the request cannot be carried out as things are now."""
    current = TemplateVersion.objects.filter(pk=request.version.pk, state=TemplateVersion.State.PUBLISHED)
    if not current.exists():
        raise ValidationError("This template was changed or retired while the form was open. Look at it again.")
    if not Cluster.objects.filter(pk=request.cluster.pk, accepts_new=True).exists():
        raise ValidationError("This cluster accepts no new environments at the moment.")
    home = Directory.objects.filter(is_default=True).first()
    if home is None:
        raise ValidationError("No directory is set up yet. A platform admin has to add one.")
    return home


def _create(user: User, request: Request, home: Directory, suffix: str) -> Environment:
    now = timezone.now()
    days = request.version.parsed().lifetime_days
    environment = Environment.objects.create(
        request_key=request.key,
        name=request.name,
        purpose=request.purpose,
        namespace=naming.namespace(user.email, request.name, suffix),
        owner=user,
        team=request.team,
        version=request.version,
        spec=request.version.spec,
        size=request.size,
        parameters=request.parameters,
        cluster=request.cluster,
        directory=home,
        created_at=now,
        ends_at=now + timedelta(days=days) if days else None,
    )
    _add_members(environment, user, request.collaborators)
    Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in STEPS)
    _event(environment, user, "Requested", f"Requested by {user} from {request.version}.")
    tasks.enqueue_after_commit(environment.pk)
    return environment


def _add_members(environment: Environment, owner: User, collaborators: dict[str, Role]) -> None:
    roles = {owner.email: environment.template_spec.owner_role}
    roles |= {email: role for email, role in collaborators.items() if email.lower() != owner.email.lower()}
    Member.objects.bulk_create(
        Member(environment=environment, email=email, role=role, added_by=owner) for email, role in roles.items()
    )
    Group.objects.bulk_create(
        Group(environment=environment, role=role, name=naming.group(environment.namespace, role))
        for role in sorted(set(roles.values()))
    )


def _event(environment: Environment, actor: User, verb: str, message: str) -> None:
    Event.objects.create(environment=environment, actor=actor, verb=verb, message=message)
