"""Short-lived tokens for members, where a cluster does not know the identity provider.

Each member who asks gets a ServiceAccount of their own, bound to their role beside the group. It lives in the
portal's namespace on the cluster, where no member can run a pod as it. Tokens are handed over once and never stored;
deleting the account ends them all.
"""

from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from environments import kube
from environments.kube import kubeconfig, manifests
from environments.lib import naming, queue
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, Member, User
from environments.reconcile import desired

_USUAL_HOURS = 8  # a working day


def membership(environment: Environment, user: User) -> Member | None:
    """A person's own membership, None if they are not a member."""
    return environment.members.with_address(user.email).filter(wanted=True).first()


def usual_hours(maximum: int) -> int:
    """How long a token is valid unless its owner chooses otherwise, on a cluster with this maximum."""
    return min(_USUAL_HOURS, maximum)


def issue(environment: Environment, user: User, *, hours: int) -> str:
    """A kubeconfig with a token for a member's own access, valid for so many hours, at most the cluster's maximum.

    Raises PermissionDenied for those who are no members; ValidationError if their access is not verified yet, or the
    hours are too many; one of the two adapter errors if the cluster refuses.
    """
    member = membership(environment, user)
    if member is None:
        raise PermissionDenied("Only members of an environment have a kubeconfig for it.")
    if environment.phase not in (Phase.READY, Phase.DEGRADED) or not is_proven(member):
        text = "You can't download a token yet. Your access to this cluster hasn't been confirmed."
        raise ValidationError(text, code="unconfirmed")
    if not 1 <= hours <= environment.cluster.max_token_hours:
        text = f"Choose from 1 to {environment.cluster.max_token_hours} hours."
        raise ValidationError({"hours": [ValidationError(text, code="hours")]})
    _note(environment, member, user, hours)
    client = kube.connect(environment.cluster)
    wanted = desired.desired_with_bindings(environment)
    name = naming.account(str(environment.pk), member.email)
    client.apply(manifests.service_account(wanted, name))
    binding = next(binding for binding in wanted.bindings if binding.role == Role(member.role))
    client.apply(manifests.role_binding(wanted, binding))
    token = client.create_token(name, wanted.account_namespace, seconds=hours * 3600)
    ends_at = timezone.now() + timedelta(hours=hours)
    environment.members.filter(pk=member.pk).update(token_ends_at=ends_at)
    return kubeconfig.with_token(target(environment), token, ends_at)


def revoke(environment: Environment, user: User) -> None:
    """Revoke all of a person's own tokens for an environment, now.

    Raises PermissionDenied for those who never were members; one of the two adapter errors if the cluster refuses.
    """
    if not environment.members.with_address(user.email).exists():
        raise PermissionDenied("Only members of an environment have tokens for it.")
    name = naming.account(str(environment.pk), user.email)
    kube.connect(environment.cluster).delete("ServiceAccount", name, environment.cluster.account_namespace)
    with transaction.atomic():
        mine = environment.members.with_address(user.email).filter(has_account=True)
        if mine.update(has_account=False, token_ends_at=None):
            _record(environment, user, Activity.TOKENS_REVOKED, f"{user} revoked their tokens.")


def target(environment: Environment) -> kubeconfig.Target:
    """What a member's file points at. Raises PermanentError where the cluster's credential cannot be read."""
    row = environment.cluster
    client = kube.connect(row)
    return kubeconfig.Target(
        row.slug, row.public_server or client.server, client.certificate_authority, environment.namespace
    )


def is_proven(member: Member) -> bool:
    """Whether the cluster confirmed a member's access, and they are still in the group that it confirmed."""
    return bool(member.allowed and member.in_group)


def _note(environment: Environment, member: Member, user: User, hours: int) -> None:
    """On the record before the first call: no crash leaves an account without a record.

    The reconcile that follows puts right what an earlier one, which did not know of the account, may undo.
    """
    with transaction.atomic():
        environment.members.filter(pk=member.pk).update(has_account=True)
        valid = f"{hours} hour" if hours == 1 else f"{hours} hours"
        message = f"{user} downloaded a kubeconfig (valid for {valid})."
        _record(environment, user, Activity.KUBECONFIG_DOWNLOADED, message)


def _record(environment: Environment, user: User, kind: Activity, message: str) -> None:
    Event.record(environment, user, kind, message)
    Environment.objects.filter(pk=environment.pk).owe()
    queue.enqueue_after_commit(environment.pk)
