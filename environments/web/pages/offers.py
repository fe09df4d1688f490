"""The catalog: templates with what they include, and a template's sizes side by side."""

from dataclasses import dataclass

from environments.actions import placement
from environments.lib import quantities
from environments.lib.wording import listed
from environments.models import Cluster, Template, TemplateVersion, User
from environments.spec import InvalidSpecError, TemplateSpec
from environments.web.permissions import published_versions


@dataclass(frozen=True)
class TemplateCard:
    """A template in the catalog; without tags if its content cannot be read."""

    template: Template
    version: TemplateVersion
    tags: list[str]
    is_readable: bool = True


@dataclass(frozen=True)
class QuotaTable:
    """A template's sizes side by side: a line for each resource, its figure for each size.

    `more` are numbers of objects, which few people need to know, and `closed` the names of what no size allows.
    """

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    more: list[tuple[str, list[str]]]
    closed: list[str]


_NONE = "none"


def catalog(user: User, search: str = "") -> list[TemplateCard]:
    """The published templates that a user may request, filtered by name, summary or category."""
    versions = published_versions(user).order_by("template__category", "template__name").defer("template__readme")
    needle = search.strip().lower()
    found = [version for version in versions if needle in _haystack(version.template)]
    networks = _networks([version.template for version in found])
    return [_card(version, networks.get(version.template_id, "isolated network")) for version in found]


def not_isolating(template: Template) -> list[Cluster]:
    """The clusters that a template may use whose network does not enforce network policies."""
    return [each for each in placement.candidates(template) if each.isolation_warning]


def _networks(templates: list[Template]) -> dict[int, str]:
    """What to call the network of each template that may use a cluster which does not isolate. A query if none does."""
    clusters = {each.pk: each for each in placement.open_clusters().only("name", "isolation")}
    if not any(each.isolation_warning for each in clusters.values()):
        return {}
    chosen: dict[int, list[int]] = {each.pk: [] for each in templates}
    limited = Template.objects.filter(pk__in=chosen, clusters__isnull=False)
    for template_id, cluster_id in limited.values_list("pk", "clusters"):
        chosen[template_id].append(cluster_id)
    return {
        pk: _network([clusters[each] for each in own or clusters if each in clusters]) for pk, own in chosen.items()
    }


def _network(clusters: list[Cluster]) -> str:
    """What to call the network on these clusters."""
    names = [each.name for each in clusters if each.isolation_warning]
    if not names:
        return "isolated network"
    if len(names) == len(clusters):
        return "network not isolated"
    return f"isolated network, except on {listed(names)}"


def _card(version: TemplateVersion, network: str) -> TemplateCard:
    try:
        return TemplateCard(version.template, version, tags(version.parsed(), network))
    except InvalidSpecError:  # written for another version of the portal: the other templates are still shown
        return TemplateCard(version.template, version, [], is_readable=False)


def tags(spec: TemplateSpec, network: str = "isolated network") -> list[str]:
    """What a template includes, in a few words each. `network`: what to call its network."""
    sizes = len(spec.sizes)
    network += " + DNS" if spec.network.dns else ", no DNS"
    lifetime = f"{spec.lifetime_days} days" if spec.lifetime_days else "no end date"
    approval = "needs approval" if spec.approval else "some sizes need approval" if spec.approval_sizes() else ""
    first = [f"{sizes} sizes"] if sizes > 1 else []
    return [*first, *filter(None, [approval]), network, f"{spec.owner_role.value} role", lifetime]


def quota_table(spec: TemplateSpec) -> QuotaTable:
    """What each size of a template allows, resource by resource."""
    quotas = [spec.quota | size.quota for size in spec.sizes] or [spec.quota]
    # The order is ours: PostgreSQL keeps none in JSON. What sets the sizes apart comes first.
    resources = sorted({resource for quota in quotas for resource in quota}, key=quantities.rank)
    resources.sort(key=lambda resource: len({quota.get(resource) for quota in quotas}) == 1)
    rows: list[tuple[str, list[str]]] = []
    more: list[tuple[str, list[str]]] = []
    closed: list[str] = []
    for resource in resources:
        name, figures = quantities.name(resource), [_figure(resource, quota.get(resource)) for quota in quotas]
        if set(figures) == {_NONE}:
            closed.append(quantities.inside(name))
        else:
            (more if resource.startswith("count/") else rows).append((name, figures))
    columns = [size.title for size in spec.sizes] or ["Quota"]
    return QuotaTable(columns, rows, more, closed) if rows else QuotaTable(columns, more, [], closed)


def approval_words(spec: TemplateSpec) -> str:
    """Which requests need approval and by whom, as a sentence; empty if none does."""
    by = "from a manager of your team or a platform admin"
    if spec.approval:
        return f"Every request needs approval {by}."
    labels = [size.title for size in spec.approval_sizes()]
    if not labels:
        return ""
    return f"{listed(labels)} need{'s' if len(labels) == 1 else ''} approval {by}."


def _figure(resource: str, amount: str | None) -> str:
    """An amount for reading. What the requester fills in has no figure yet."""
    if amount is None:
        return "no limit"
    if "${" in amount:
        return "your choice"
    value = quantities.parse(amount)
    return quantities.human(resource, value) if value else _NONE


def _haystack(template: Template) -> str:
    return f"{template.name} {template.summary} {template.category}".lower()
