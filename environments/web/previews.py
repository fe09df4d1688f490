"""What a request would create, in words and as manifests, from a form that may be incomplete."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from environments import spec as template_spec
from environments.actions import deciders, drafts, rows
from environments.kube import manifests
from environments.kube.manifests import Desired, Manifest
from environments.lib import dates, naming, quantities
from environments.models import Cluster
from environments.reconcile import desired
from environments.reconcile.steps import binding
from environments.spec import TemplateSpec
from environments.web.forms import RequestForm

_WORTH_SAYING = ("requests.cpu", "requests.memory", "requests.nvidia.com/gpu", "pods", "requests.storage")


@dataclass(frozen=True)
class Plan:
    """What a request creates: lines of (title, text), and the manifests."""

    lines: list[tuple[str, str]]
    manifests: list[Manifest]


def plan(form: RequestForm) -> Plan:
    """The plan for a form as it is filled in now; defaults stand in for what is missing or wrong."""
    if form.is_bound:
        form.is_valid()
    planned = drafts.Plan(form.user, form.draft())
    wanted = _desired(planned)
    return Plan(_lines(planned, wanted), manifests.all_manifests(wanted))


def _desired(planned: drafts.Plan) -> Desired:
    """What the verb's own rows lead to, once everybody is in their group."""
    made = rows.build(planned, naming.suffix_of(planned.draft.key))
    environment = made.environment
    for member in made.members:
        member.in_group = True
    bound = binding.bindings(
        desired.group_states(made.groups, str(environment.pk), environment.namespace),
        desired.member_states(made.members, str(environment.pk), environment.cluster.oidc_issuer),
        desired.naming(environment.cluster),
    )
    return replace(desired.desired(environment), environment_id="<set when requested>", bindings=bound)


def _lines(planned: drafts.Plan, wanted: Desired) -> list[tuple[str, str]]:
    spec = planned.spec
    waits = spec.needs_approval(wanted.size)
    who = deciders.among(planned.draft.team, planned.user) if waits else ""
    people = len(planned.roles)
    where = [("Cluster", str(planned.cluster))] if planned.draft.cluster is None else []
    return [
        *([("Approval", f"By {who}. Nothing is created until it is approved.")] if waits else []),
        *where,
        ("Namespace", f"{wanted.namespace}, Pod Security {spec.pod_security.enforce}"),
        ("Quota", _quota_words(wanted)),
        ("Default limits", _limit_words(spec)),
        _network(planned.cluster, spec),
        ("Access group", "you" if people == 1 else f"you and {people - 1} more"),
        ("Access", f"role {spec.owner_role.value}; {_lifetime_words(spec, waits=waits)}"),
    ]


def _quota_words(wanted: Desired) -> str:
    hard = template_spec.render_quota(wanted.spec, wanted.size, dict(wanted.parameters))
    said = []
    for resource in _WORTH_SAYING:
        if resource in hard:
            try:
                value = quantities.parse(hard[resource])
            except ValueError:
                continue  # a parameter that is not filled in correctly yet
            said.append(f"{quantities.name(resource)} {quantities.human(resource, value)}")
    more = len(hard) - len(said)
    return ", ".join(said) + (f", and {more} more" if more > 0 else "")


def _limit_words(spec: TemplateSpec) -> str:
    words = spec.limits.default_words
    return f"containers without limits get {words}" if words else "none"


def _network(cluster: Cluster | None, spec: TemplateSpec) -> tuple[str, str]:
    """What the policies let through; not called isolated on a cluster that does not enforce them."""
    words = " ".join(["No traffic in or out by default.", *spec.network.sentences()])
    if cluster and (warning := cluster.isolation_warning):
        return "Network (not enforced here)", f"{warning} Policies: {words}"
    return "Isolated network", words


def _lifetime_words(spec: TemplateSpec, *, waits: bool) -> str:
    if not spec.lifetime_days:
        return "no end date"
    if waits:
        return f"expires {spec.lifetime_days} days after approval"
    now = timezone.now()
    end = dates.upcoming_day(now + timedelta(days=spec.lifetime_days), now)
    return f"expires in {spec.lifetime_days} days ({end})"
