"""Short-lived tokens for members, where a cluster does not know the identity provider.

Each member who asks gets a ServiceAccount of their own, bound to their role beside the group. It lives in the
portal's namespace on the cluster, where no member can run a pod as it. Tokens are handed over once and never stored;
deleting the account ends them all.
"""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from environments import kube
from environments.actions import group_members
from environments.actions.owed import owe
from environments.kube import kubeconfig, manifests
from environments.kube.client import ClusterClient
from environments.kube.tokens import IssuedToken
from environments.lib import dates, naming
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event, GroupMember, Member, User
from environments.reconcile import desired

_CHANGED = "Your access changed while the token was being created. Reload the page to see how."
_USUAL_HOURS = 8  # a working day


def membership(environment: Environment, user: User) -> Member | None:
    """A person's own membership, None if they are not a member."""
    return environment.members.of(user).filter(wanted=True).first()


def access_of(environment: Environment, user: User) -> Member | None:
    """A person's own membership, else what they have through a group; None if they have no access."""
    return membership(environment, user) or through_group(environment, user)


def through_group(environment: Environment, user: User) -> Member | None:
    """What a person has through the strongest group or team that they are known to be in, as a member not stored."""
    group = group_members.of_user(environment, user)
    return member_of_group(group, environment, user) if group else None


def member_of_group(group: GroupMember, environment: Environment, user: User) -> Member:
    """A person of a group as a member, who is not stored: what is known of the group holds for them."""
    return Member(
        environment=environment,
        person=user,
        email=user.email,
        role=group.role,
        through=group,
        added_at=group.added_at,
        in_group=group.present,
        bound=group.bound,
        allowed=group.allowed,
    )


def usual_hours(maximum: int) -> int:
    """How long a token is valid unless its owner chooses otherwise, on a cluster with this maximum."""
    return min(_USUAL_HOURS, maximum)


def issue(environment: Environment, user: User, *, hours: int) -> str:
    """A kubeconfig with a token for a member's own access, valid for so many hours, at most the cluster's maximum.

    Raises PermissionDenied for those who are no members, or are removed meanwhile; ValidationError if their access is
    not verified yet, or the hours are too many; one of the two adapter errors if the cluster refuses.
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
    _note(environment, member)
    client, name = kube.connect(environment.cluster), _account_of(environment, user)
    try:
        token = _token(environment, member, client, name, hours * 3600)
    except ReconcileError:
        owe(environment.pk)  # a binding that was written may name a person who has been removed meanwhile
        raise
    _look_again(environment, member, client, name)
    _keep(environment, member, user, token, hours * 3600)
    return kubeconfig.with_token(target(environment), token.text, token.ends_at)


def _token(environment: Environment, member: Member, client: ClusterClient, name: str, seconds: int) -> IssuedToken:
    """A token for the member's own account, which is made and bound to their role first."""
    wanted = desired.desired_with_bindings(environment)
    binding = next((each for each in wanted.bindings if each.role == member.role and name in each.accounts), None)
    if binding is None:  # removed a moment ago: nothing was written
        raise PermissionDenied(_CHANGED)
    client.apply(manifests.service_account(wanted, name))
    client.apply(manifests.role_binding(wanted, binding))
    return client.create_token(name, wanted.account_namespace, seconds=seconds)


def _look_again(environment: Environment, member: Member, client: ClusterClient, name: str) -> None:
    """Raise PermissionDenied if the member was removed, got another role or revoked their tokens meanwhile.

    The reconcile of such a change may have ended before the last write here, and would spare an account that is this
    young. So the account is deleted, and one more reconcile is owed. A change from now on finds the account by itself.
    """
    same = environment.members.filter(pk=member.pk, role=member.role, wanted=True, has_account=True)
    if same.filter(environment__wanted=True).exists():
        return
    try:
        client.delete("ServiceAccount", name, environment.cluster.account_namespace)
    finally:
        owe(environment.pk)
    raise PermissionDenied(_CHANGED)


def revoke(environment: Environment, user: User) -> None:
    """Revoke all of a person's own tokens for an environment, now.

    Raises PermissionDenied for those who never were members; one of the two adapter errors if the cluster refuses.
    """
    mine = environment.members.of(user)
    if not mine.exists():
        raise PermissionDenied("Only members of an environment have tokens for it.")
    name = _account_of(environment, user)
    kube.connect(environment.cluster).delete("ServiceAccount", name, environment.cluster.account_namespace)
    with transaction.atomic():
        if mine.filter(has_account=True).update(has_account=False, token_ends_at=None):
            Event.record(environment, user, Activity.TOKENS_REVOKED, f"{user} revoked their tokens.")
            owe(environment.pk)


def target(environment: Environment) -> kubeconfig.Target:
    """What a member's file points at. Raises PermanentError where the cluster's credential cannot be read."""
    row = environment.cluster
    client = kube.connect(row)
    authorities = {
        Cluster.Trust.PORTAL: client.certificate_authority,
        Cluster.Trust.SYSTEM: "",
        Cluster.Trust.OWN: row.public_certificate_authority,
    }
    # The portal's own kubeconfig may have a name for its address; another address has its own name.
    name = row.tls_server_name or ("" if row.public_server else client.tls_server_name)
    return kubeconfig.Target(
        cluster=row.slug,
        server=row.public_server or client.server,
        certificate_authority=authorities[Cluster.Trust(row.public_trust)],
        namespace=environment.namespace,
        tls_server_name=name,
        proxy=row.proxy_url,
    )


def oidc(cluster: Cluster) -> kubeconfig.Oidc:
    """How members sign in to a cluster that trusts the identity provider."""
    return kubeconfig.Oidc(
        cluster.oidc_issuer, cluster.oidc_client_id, cluster.oidc_scopes, cluster.oidc_certificate_authority
    )


def _account_of(environment: Environment, user: User) -> str:
    """The name of a person's ServiceAccount."""
    return desired.account_name(environment.members.of(user).first(), str(environment.pk))


def _free_account(member: Member) -> str:
    """The name of a member's ServiceAccount, never that of a person who had the address before."""
    key = str(member.environment_id)
    name = desired.account_name(member, key)
    others = Member.objects.filter(environment=member.environment_id, has_account=True).exclude(pk=member.pk)
    taken = {desired.account_name(other, key) for other in others}
    return naming.account(key, f"{member.email}#{member.pk}") if name in taken else name


def is_proven(member: Member) -> bool:
    """Whether the cluster confirmed a member's access, and they are still in the group that it confirmed."""
    return bool(member.allowed and member.in_group)


def _note(environment: Environment, member: Member) -> None:
    """On the record before the first call: no crash leaves an account without a record.

    The reconcile that follows puts right what an earlier one, which did not know of the account, may undo.
    """
    with transaction.atomic():
        environment.members.filter(pk=member.pk).update(has_account=True, account_name=_free_account(member))
        owe(environment.pk)


def _keep(environment: Environment, member: Member, user: User, token: IssuedToken, asked: int) -> None:
    """On the record before the file is handed over: who got it, and until when, as the cluster says it."""
    cap = environment.cluster.token_cap_seconds
    if token.seconds < asked:
        cap = token.seconds
    elif cap is not None and asked > cap:
        cap = None  # the cluster gives more than it did
    with transaction.atomic():
        environment.members.filter(pk=member.pk).update(token_ends_at=token.ends_at)
        if cap != environment.cluster.token_cap_seconds:
            Cluster.objects.filter(pk=environment.cluster.pk).update(token_cap_seconds=cap)
        message = f"{user} downloaded a kubeconfig (valid for {dates.lifetime(token.seconds)})."
        Event.record(environment, user, Activity.KUBECONFIG_DOWNLOADED, message)
