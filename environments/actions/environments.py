"""What people can do to environments: one function a verb, called by pages, admin and commands alike.

Each one checks, changes the row and adds the Event in one transaction, and enqueues the id after the commit.
Whether the actor may is the caller's question, answered by permissions.py, except where it says so here.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import placement, removals
from environments.kube import manifests
from environments.lib import naming, queue
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import (
    Cluster,
    Condition,
    Directory,
    Environment,
    Event,
    Group,
    Member,
    Team,
    Template,
    TemplateVersion,
    User,
)
from environments.reconcile.steps import STEPS

_NAME_TRIES = 5  # random suffixes after the form's own


@dataclass(frozen=True)
class Request:
    """A filled-in request form, checked."""

    version: TemplateVersion
    name: str
    cluster: Cluster | None  # None: the portal picks one
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    purpose: str = ""
    size: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    team: Team | None = None
    collaborators: dict[str, Role] = field(default_factory=dict)  # e-mail address -> role


def request_environment(user: User, request: Request) -> Environment:
    """Record a request and have it provisioned. The same key twice gives the same environment.

    Raises ValidationError where the template, cluster or directory cannot be used (any more), or a limit is reached.
    """
    earlier = Environment.objects.filter(request_key=request.key, owner=user).first()
    if earlier:
        return earlier
    cluster, home = _usable(user, request)
    suffixes = [naming.suffix_of(request.key), *(naming.new_suffix() for _ in range(_NAME_TRIES))]
    for suffix in suffixes:
        try:
            with transaction.atomic():
                return _create(user, request, cluster, home, suffix)
        except IntegrityError:
            # The namespace's name is taken, or the same form arrived twice at the same moment.
            earlier = Environment.objects.filter(request_key=request.key, owner=user).first()
            if earlier:
                return earlier
    raise ValidationError("No free name was found. Choose another name.")


def delete_environment(environment: Environment, actor: User, *, typed_name: str) -> None:
    """Have an environment removed. Raises ValidationError unless its name was typed correctly.

    For a request that waits for approval: `withdraw_request`.
    """
    if typed_name.strip() != environment.name:
        raise ValidationError(f"Type {environment.name} to confirm.", code="name")
    if removals.ask(environment, actor, Activity.DELETION_REQUESTED, f"Deletion asked for by {actor}."):
        queue.enqueue_after_commit(environment.pk)


def withdraw_request(environment: Environment, actor: User, note: str = "") -> None:
    """Take a request back, with a word on why or without. Raises ValidationError where it was decided on meanwhile."""
    message = f"Withdrawn by {actor}: {note}" if note else f"Withdrawn by {actor}."
    if not removals.withdraw(environment, actor, message, note):
        raise ValidationError("It was decided on meanwhile. Look at it again.")


def extend_environment(environment: Environment, actor: User) -> None:
    """Put the end off by the template's days, once more. Raises ValidationError where that is not allowed."""
    later = environment.extended_end()
    if later is None:
        raise ValidationError("It cannot be extended any further.")
    with transaction.atomic():
        # The count is part of the condition: two clicks at once are one extension.
        same = Environment.objects.filter(pk=environment.pk, wanted=True, extensions=environment.extensions).granted()
        if same.update(ends_at=later, extensions=F("extensions") + 1, noticed_days=None, noticed_at=None):
            Event.record(environment, actor, Activity.EXTENDED, f"Extended by {actor} to {later:%-d %B %Y}.")


def move_environment(environment: Environment, version: TemplateVersion, actor: User) -> None:
    """Move an environment to another published version of its template, in place.

    Raises ValidationError where it cannot be moved there: a size or parameter that the version does not have, or
    approval that it asks for and nobody gave; moved by a platform admin, it has it.
    """
    spec = version.parsed()
    if spec.needs_approval(environment.size) and not environment.requested_at and not actor.is_platform_admin:
        raise ValidationError("What this version grants needs approval. Request a new environment from it.")
    parameters = _carried_over(environment, spec)
    hard = template_spec.render_quota(spec, environment.size, parameters)
    cpu, memory = placement.reserved(hard)
    objects = list(dict.fromkeys([*environment.applied_objects, *_own_objects(spec, parameters)]))
    with transaction.atomic():
        rows = Environment.objects.filter(pk=environment.pk, wanted=True, version=environment.version_id).granted()
        changes: dict[str, Any] = {"version": version, "spec": version.spec, "parameters": parameters}
        changes["applied_objects"] = objects
        if not rows.update(**changes, reserved_cpu=cpu, reserved_memory=memory, generation=F("generation") + 1):
            raise ValidationError("It was changed meanwhile. Look at it again.")
        message = f"Moved by {actor} from {environment.version} to v{version.number}."
        Event.record(environment, actor, Activity.VERSION_CHANGED, message)
        queue.enqueue_after_commit(environment.pk)


def try_again(environment: Environment, actor: User) -> None:
    """Have everything looked at now, whatever the back-off says; the way on from a failure that was mended.

    Of a request that was not approved there is nothing to look at.
    """
    if not environment.is_granted:
        return
    is_new = environment.ready_at is None
    phase = Phase.DELETING if not environment.wanted else Phase.PROVISIONING if is_new else Phase.DEGRADED
    with transaction.atomic():
        # Both are conditions too: the phase must suit the row as it is now, not as the page showed it.
        failed = Environment.objects.filter(pk=environment.pk, phase=Phase.FAILED)
        failed.filter(ready_at__isnull=is_new, wanted=environment.wanted).move_to(phase)
        Event.record(environment, actor, Activity.CHECK_REQUESTED, f"{actor} asked to try again.")
        Environment.objects.filter(pk=environment.pk).owe()
        queue.enqueue_after_commit(environment.pk)


def at_limit(user: User, template: Template) -> list[Environment]:
    """The live environments that keep somebody from one more of a template; none while there is room."""
    if template.per_person is None:
        return []
    owned = list(Environment.objects.live().filter(owner=user, version__template=template).order_by("name"))
    return owned if len(owned) >= template.per_person else []


def _usable(user: User, request: Request) -> tuple[Cluster, Directory]:
    """Where the request goes. Raises ValidationError where it cannot be carried out as things are now."""
    _check_template(user, request)
    cluster = request.cluster or placement.least_reserved(placement.candidates(request.version.template))
    if cluster is None or not Cluster.objects.filter(pk=cluster.pk, accepts_new=True, lost_at=None).exists():
        raise ValidationError("This cluster accepts no new environments at the moment.")
    home = Directory.objects.filter(is_default=True).first()
    if home is None:
        raise ValidationError("No directory is set up yet. A platform admin has to add one.")
    return cluster, home


def _check_template(user: User, request: Request) -> None:
    template = request.version.template
    usable = Template.objects.usable_by(user).filter(pk=template.pk).order_by()
    current = TemplateVersion.objects.filter(pk=request.version.pk, state=TemplateVersion.State.PUBLISHED)
    if not current.filter(template__in=usable.values("pk")).exists():
        raise ValidationError("This template was changed or retired while the form was open. Look at it again.")
    owned = at_limit(user, template)
    if owned:
        names = ", ".join(environment.name for environment in owned)
        raise ValidationError(
            f"You have {len(owned)} of at most {template.per_person} environments of this template: {names}. "
            "Delete one of them first."
        )


def _create(user: User, request: Request, cluster: Cluster, home: Directory, suffix: str) -> Environment:
    now = timezone.now()
    spec = request.version.parsed()
    waits = spec.needs_approval(request.size)
    cpu, memory = placement.reserved(template_spec.render_quota(spec, request.size, request.parameters))
    parts = naming.parts(
        owner_email=user.email,
        name=request.name,
        team=str(request.team or ""),
        template=request.version.template.slug,
        size=request.size,
    )
    environment = Environment.objects.create(
        request_key=request.key,
        name=request.name,
        purpose=request.purpose,
        namespace=naming.namespace(parts, suffix, spec.naming.namespace),
        owner=user,
        team=request.team,
        version=request.version,
        spec=request.version.spec,
        size=request.size,
        parameters=request.parameters,
        reserved_cpu=cpu,
        reserved_memory=memory,
        applied_objects=_own_objects(spec, request.parameters),
        cluster=cluster,
        directory=home,
        created_at=now,
        ends_at=now + timedelta(days=spec.lifetime_days) if spec.lifetime_days and not waits else None,
        **(_waiting(now) if waits else {}),
    )
    _add_members(environment, user, request.collaborators, parts)
    Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in STEPS)
    message = f"Requested by {user} from {request.version}." + (" It waits for approval." if waits else "")
    Event.record(environment, user, Activity.REQUESTED, message, notice_owed=waits)
    if not waits:
        queue.enqueue_after_commit(environment.pk)
    return environment


def _waiting(now: datetime) -> dict[str, Any]:
    """What sets a request apart that needs approval: nothing is owed yet, also for a worker that knows no approvals."""
    return {
        "phase": Phase.AWAITING_APPROVAL,
        "observed_generation": 1,
        "requested_at": now,
        "deciders_told_at": now,
    }


def _own_objects(spec: template_spec.TemplateSpec, parameters: dict[str, str]) -> list[str]:
    """What the template makes of its own. Raises ValidationError where these values make something else of it."""
    try:
        return manifests.own_keys(spec, parameters)
    except ValueError as error:
        raise ValidationError(str(error).splitlines()) from error


def _add_members(environment: Environment, owner: User, collaborators: dict[str, Role], parts: dict[str, str]) -> None:
    spec = environment.template_spec
    roles = {owner.email: spec.owner_role}
    roles |= {email: role for email, role in collaborators.items() if email.lower() != owner.email.lower()}
    Member.objects.bulk_create(
        Member(environment=environment, email=email, role=role, added_by=owner) for email, role in roles.items()
    )
    Group.objects.bulk_create(
        Group(
            environment=environment,
            role=role,
            name=naming.group(parts, environment.namespace, role, spec.naming.group),
        )
        for role in sorted(set(roles.values()))
    )


def _carried_over(environment: Environment, spec: template_spec.TemplateSpec) -> dict[str, str]:
    """The environment's answers to another version's questions. Raises ValidationError where one has none."""
    if spec.sizes and spec.size(environment.size) is None:
        raise ValidationError(f"The version has no size {environment.size_label or environment.size}.")
    values = {}
    for parameter in spec.parameters:
        fixed = parameter.mode is template_spec.Mode.FIXED
        value = parameter.default if fixed else environment.parameters.get(parameter.name) or parameter.default
        try:
            if value or parameter.required:
                parameter.check(value)
        except ValueError as error:
            raise ValidationError(f"{parameter.title}: {error}") from error
        values[parameter.name] = value
    return values
