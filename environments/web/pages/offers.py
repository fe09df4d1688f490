"""The catalog: templates with what they include, and a template's sizes side by side."""

from dataclasses import dataclass

from environments.lib import quantities
from environments.models import Template, TemplateVersion, User
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
    return [_card(version) for version in found]


def _card(version: TemplateVersion) -> TemplateCard:
    try:
        return TemplateCard(version.template, version, tags(version.parsed()))
    except InvalidSpecError:  # written for another version of the portal: the other templates are still shown
        return TemplateCard(version.template, version, [], is_readable=False)


def tags(spec: TemplateSpec) -> list[str]:
    """What a template includes, in a few words each."""
    sizes = len(spec.sizes)
    network = "isolated network" + (" + DNS" if spec.network.dns else ", no DNS")
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
    names = " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
    return f"{names} need{'s' if len(labels) == 1 else ''} approval {by}."


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
