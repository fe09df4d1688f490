"""Checks a cluster: its connection, the rights of the portal's account, what it refuses, and its admission policies."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone

from environments import kube
from environments.kube import admission, issuers, rbac
from environments.kube.client import Question
from environments.kube.issuers import Remark
from environments.kube.kubeconfig import is_plain
from environments.lib.errors import ReconcileError
from environments.models import Cluster
from environments.routine import policy_looks

_AT_ONCE = 8

#: What does not work without the permission.
_NEEDED_FOR = {
    "namespaces": "creating and deleting environments",
    "resourcequotas": "quotas",
    "limitranges": "default limits",
    "serviceaccounts": "service accounts",
    "networkpolicies": "network isolation",
    "rolebindings": "members' access",
    "clusterroles": "giving members the environment roles",
    "serviceaccounts/token": "short-lived tokens",
    "subjectaccessreviews": "verifying members' access",
    "pods": "showing running pods",
    "events": "showing why a pod does not run",
}


@dataclass(frozen=True)
class Finding:
    """One permission, and what it is needed for or why it is too much."""

    permission: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.permission} ({self.meaning})"


@dataclass(frozen=True)
class Report:
    """What a check found out. `error` is set where the cluster did not answer or did not let the portal in."""

    row: Cluster
    version: str = ""
    missing: tuple[Finding, ...] = ()
    excess: tuple[Finding, ...] = ()
    policies: admission.Standing | None = None
    not_refused: tuple[str, ...] = ()
    sign_in: tuple[Remark, ...] = ()  # of the issuer, where the cluster authenticates by OIDC
    plain_server: str = ""  # the address in members' files, if it has no TLS
    error: str = ""

    @property
    def summary(self) -> str:
        """One line, for the log."""
        if self.error or self.policies is None:
            return self.error
        permissions = f"{len(self.missing)} permissions missing, {len(self.excess)} too many"
        found = f"Kubernetes {self.version}: {permissions}; admission policies: {self.policies.state.label}."
        accepted = f" The cluster accepts {len(self.not_refused)} writes that it must refuse."
        sign_in = " Sign-in has problems." if self.sign_in_tone else ""
        plain = " kubectl will not sign in: members' address begins with http." if self.plain_server else ""
        return found + (accepted if self.not_refused else "") + sign_in + plain

    @property
    def sign_in_tone(self) -> str:
        """The worst that was found out about the issuer: bad, warn, or empty."""
        tones = {remark.tone for remark in self.sign_in}
        return next((tone for tone in (issuers.BAD, issuers.WARN) if tone in tones), "")

    @property
    def is_guarded(self) -> bool:
        """Whether the admission policies are as they should be."""
        return self.policies is not None and self.policies.is_right

    @property
    def is_all_powerful(self) -> bool:
        """Whether the account may do everything, as cluster-admin may."""
        return any(finding.permission.startswith("* *") for finding in self.excess)


def check_all(rows: list[Cluster]) -> list[Report]:
    """Ask several clusters at the same time; note on each row whether it answered, and what it has of the policies."""
    began = timezone.now()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        reports = list(pool.map(_check, rows))
    for report in reports:
        # An UPDATE, not save(): the connection is the same, so its client is kept.
        Cluster.objects.filter(pk=report.row.pk).update(checked_at=timezone.now(), check_error=report.error)
        if report.policies is not None:
            policy_looks.keep(report.row, report.policies, began)
    return reports


def _check(row: Cluster) -> Report:
    return replace(_check_cluster(row), sign_in=tuple(_check_sign_in(row)))


def _check_sign_in(row: Cluster) -> list[Remark]:
    """What the portal finds out about the issuer that the cluster trusts; nothing if it trusts none, or is lost."""
    if row.access != Cluster.Access.OIDC or row.lost_at:
        return []
    claims = (row.username_claim, row.groups_claim)
    scopes = tuple(row.oidc_scopes.split())
    authority = row.oidc_certificate_authority
    return issuers.look(issuers.Issuer(row.oidc_issuer, row.oidc_client_id, scopes, authority, *claims))


def _check_cluster(row: Cluster) -> Report:
    try:
        client = kube.connect(row)
        version = client.version()
        missing, excess = rbac.missing_permissions(client, row.account_namespace), rbac.excess_permissions(client)
        policies = admission.standing(client, settings.LABEL_DOMAIN, row.account_namespace)
        not_refused = admission.not_refused(client)
        server = row.public_server or client.server
        plain = server if is_plain(server) else ""
    except ReconcileError as error:
        return Report(row, error=error.message)
    lacking, too_many = tuple(map(_missing, missing)), tuple(map(_excess, excess))
    return Report(row, version, lacking, too_many, policies, not_refused, plain_server=plain)


def _missing(question: Question) -> Finding:
    return Finding(str(question), f"needed for {_NEEDED_FOR.get(question.resource, 'the portal')}")


def _excess(question: Question) -> Finding:
    if question.resource.startswith("serviceaccounts") and question.verb != "impersonate":
        is_token = question.resource.endswith("/token")
        return Finding(str(question), "acts as any service account" if is_token else "changes accounts of others")
    match question.resource.partition("/")[0], question.verb:
        case "*", _:
            meaning = "allows everything, like cluster-admin"
        case "secrets", _:
            meaning = "reads or writes other people's secrets"
        case _, "impersonate":
            meaning = "acts as any user"
        case _, "bind" | "escalate":
            meaning = "grants itself any permission"
        case "roles" | "clusterroles" | "clusterrolebindings", _:
            meaning = "changes permissions of others"
        case "validatingadmissionpolicies" | "validatingadmissionpolicybindings", _:
            meaning = "removes the policies that protect environments"
        case "nodes" | "namespaces", _:
            meaning = "reaches beyond the portal's environments"
        case _, "create" | "patch":
            meaning = "runs code in the cluster"
        case _:
            meaning = "not needed"
    return Finding(str(question), meaning)
