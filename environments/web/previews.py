"""What a request would create, in words and as manifests, from a form that may be incomplete."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import deciders, placement
from environments.kube import manifests
from environments.kube.manifests import Binding, Desired, Manifest
from environments.kube.network_policies import Neighbours
from environments.lib import dates, naming, quantities
from environments.lib.phases import Role
from environments.models import Cluster, Team
from environments.reconcile import desired
from environments.reconcile.steps.base import Naming
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
    wanted = _desired(form)
    return Plan(_lines(form, wanted), manifests.all_manifests(wanted))


def _desired(form: RequestForm) -> Desired:
    cleaned = getattr(form, "cleaned_data", {})
    cluster: Cluster | None = cleaned.get("cluster") or _expected_cluster(form)
    team = _team(form)
    size = cleaned.get("size") or (form.sizes[0].name if form.sizes else "")
    namespace = form.namespace()
    return Desired(
        environment_id="<set when requested>",
        name=str(cleaned.get("name") or form["name"].value() or ""),
        namespace=namespace,
        owner=form.user.email,
        template=form.template_version.template.slug,
        spec=form.spec,
        label_domain=settings.LABEL_DOMAIN,
        size=size,
        team=team.name if team else "",
        purpose=str(cleaned.get("purpose") or ""),
        parameters=tuple(form.values().items()),
        bindings=_bindings(form, namespace, cluster, cleaned),
        neighbours=desired.neighbours(cluster) if cluster else Neighbours(),
    )


def _expected_cluster(form: RequestForm) -> Cluster | None:
    """The one that is chosen to begin with, or that the portal would pick now."""
    if "cluster" in form.fields:
        chosen: Cluster | None = form.get_initial_for_field(form.fields["cluster"], "cluster")
        return chosen
    return placement.least_reserved(placement.candidates(form.template_version.template))


def _bindings(
    form: RequestForm, namespace: str, cluster: Cluster | None, cleaned: dict[str, object]
) -> tuple[Binding, ...]:
    names = desired.naming(cluster) if cluster else Naming()
    people = {form.user.email: form.spec.owner_role}
    collaborators = cleaned.get("collaborators")
    if isinstance(collaborators, list):
        people |= dict.fromkeys(collaborators, Role(str(cleaned.get("collaborator_role") or Role.VIEWER)))
    return tuple(
        Binding(
            role,
            names.group(naming.group(form.name_parts(), namespace, role, form.spec.naming.group)),
            tuple(names.username_prefix + email for email in people if people[email] == role)
            if names.bind_members
            else (),
        )
        for role in sorted(set(people.values()))
    )


def _team(form: RequestForm) -> Team | None:
    """The team that is chosen, or would be."""
    chosen: Team | None = getattr(form, "cleaned_data", {}).get("team")
    return chosen or (form.fields["team"].initial if "team" in form.fields else None)


def _lines(form: RequestForm, wanted: Desired) -> list[tuple[str, str]]:
    spec = form.spec
    waits = spec.needs_approval(wanted.size)
    who = deciders.among(_team(form), form.user) if waits else ""
    people = sum(len(binding.users) or 1 for binding in wanted.bindings)
    where = [("Cluster", str(_expected_cluster(form)))] if "cluster" not in form.fields else []
    return [
        *([("Approval", f"By {who}. Nothing is created until it is approved.")] if waits else []),
        *where,
        ("Namespace", f"{wanted.namespace}, Pod Security {spec.pod_security.enforce}"),
        ("Quota", _quota_words(wanted)),
        ("Default limits", _limit_words(spec)),
        ("Isolated network", _network_words(spec)),
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
    figures = [
        f"{amount} {'CPU' if resource == 'cpu' else resource}" for resource, amount in spec.limits.default.items()
    ]
    return f"containers without limits get {' and '.join(figures)}" if figures else "none"


def _network_words(spec: TemplateSpec) -> str:
    return " ".join(["No traffic in or out by default.", *spec.network.sentences()])


def _lifetime_words(spec: TemplateSpec, *, waits: bool) -> str:
    if not spec.lifetime_days:
        return "no end date"
    if waits:
        return f"expires {spec.lifetime_days} days after approval"
    now = timezone.now()
    end = dates.upcoming_day(now + timedelta(days=spec.lifetime_days), now)
    return f"expires in {spec.lifetime_days} days ({end})"
