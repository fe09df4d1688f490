"""The data that the pages about template versions show."""

import uuid
from dataclasses import dataclass, field

import yaml
from django import forms
from django.conf import settings
from django.http import QueryDict

from environments import kube
from environments.actions import drafts
from environments.actions.drafts import Draft
from environments.admin.dry_runs import Verdict, dry_run
from environments.catalog import templates as template_actions
from environments.kube import rbac
from environments.kube.manifests import Manifest, environment_label
from environments.lib import quantities
from environments.lib.errors import ReconcileError
from environments.lib.row_fields import RowField
from environments.models import Cluster, TemplateVersion, User
from environments.spec import InvalidSpecError, TemplateSpec
from environments.web import previews
from environments.web.forms import RequestForm

#: Offered while typing. Any other that Kubernetes accepts may be written. https://kubernetes.io/docs/concepts/policy/resource-quotas/
COMMON_RESOURCES = (
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "requests.nvidia.com/gpu",
    "pods",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "count/deployments.apps",
    "count/statefulsets.apps",
    "count/jobs.batch",
    "count/cronjobs.batch",
    "count/ingresses.networking.k8s.io",
    "cpu",
    "memory",
    "ephemeral-storage",
)


@dataclass(frozen=True)
class QuotaLine:
    """One resource of the matrix: in all sizes, and in each, as they are in force."""

    resource: str
    words: str
    figures: list[str]


@dataclass(frozen=True)
class ReadPage:
    """A version in words and as YAML; `spec` is None where the content is of another time."""

    spec: TemplateSpec | None
    quota: list[QuotaLine]
    yaml: str
    problems: list[str]


def read(version: TemplateVersion) -> ReadPage:
    """A version to read."""
    text = template_actions.as_yaml(version.spec)
    try:
        spec = version.parsed()
    except InvalidSpecError as error:
        return ReadPage(None, [], text, str(error).splitlines())
    return ReadPage(spec, _matrix(spec), text, [])


def _matrix(spec: TemplateSpec) -> list[QuotaLine]:
    columns = [spec.quota | size.quota for size in spec.sizes] or [spec.quota]
    resources = dict.fromkeys(name for column in (spec.quota, *columns) for name in column)
    return [
        QuotaLine(resource, quantities.name(resource), [column.get(resource, "") for column in columns])
        for resource in resources
    ]


@dataclass(frozen=True)
class DifferencesPage:
    """Two versions side by side. `lines` are the diff's, each with the class of its colour."""

    old: TemplateVersion | None
    sentences: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)


def differences(version: TemplateVersion, others: list[TemplateVersion], wanted: str) -> DifferencesPage:
    """The differences to the version with the wanted number, or to the one before."""
    old = next((other for other in others if str(other.number) == wanted), None) or _former(version, others)
    if old is None:
        return DifferencesPage(None)
    text = template_actions.unified_diff(old.spec, version.spec, f"v{old.number}", f"v{version.number}")
    try:
        sentences = template_actions.differences(old.parsed(), version.parsed())
    except InvalidSpecError:
        sentences = ["One of them was written for another version of the portal. Only the YAML can be compared."]
    return DifferencesPage(old, sentences, coloured(text))


def _former(version: TemplateVersion, others: list[TemplateVersion]) -> TemplateVersion | None:
    published = next((other for other in others if other.state == TemplateVersion.State.PUBLISHED), None)
    earlier = next((other for other in others if other.number < version.number), None)
    is_draft = version.state == TemplateVersion.State.DRAFT
    return (published if is_draft else None) or earlier or next(iter(others), None)


def coloured(diff: str) -> list[tuple[str, str]]:
    """The lines of a unified diff, each with what it is."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    marks = ("+++", "---")
    return [("file" if line.startswith(marks) else kinds.get(line[:1], "same"), line) for line in diff.splitlines()]


class DryRunForm(forms.Form):
    """Where the contents of the environment's namespace are tried."""

    scratch = forms.SlugField(
        label="Namespace for the dry run",
        required=False,
        max_length=63,
        initial=rbac.ACCOUNT_NAMESPACE,
        help_text="An existing namespace on the cluster, for example the portal's own. Nothing is stored in it.",
    )


class TrialForm(RequestForm):
    """The request form of a version that cannot be requested yet, perhaps on a cluster that is not the template's."""

    def check(self, draft: Draft) -> None:
        """Raise ValidationError, by field, for what is wrong with the answers."""
        drafts.check_answers(self.user, draft)


@dataclass
class PreviewPage:
    """The form, what comes of it, and what a cluster said."""

    form: RequestForm
    scratch: DryRunForm
    manifests: str
    lines: list[tuple[str, str]]
    verdicts: list[Verdict] = field(default_factory=list)
    cluster: Cluster | None = None
    error: str = ""

    @property
    def refused(self) -> int:
        """How many manifests the cluster would not take."""
        return sum(verdict.is_refused for verdict in self.verdicts)


def preview(version: TemplateVersion, user: User, data: QueryDict | None) -> PreviewPage:
    """The request form of a version, draft or not, with its manifests; with a dry run where the page asks for one."""
    form = _form(version, user, data)
    plan = previews.plan(form)
    text = yaml.safe_dump_all(plan.manifests, sort_keys=False, allow_unicode=True)
    page = PreviewPage(form, DryRunForm(data), text, list(plan.lines))
    if data is not None and "dry_run" in data and form.is_valid() and page.scratch.is_valid():
        _ask(page, form.cleaned_data["cluster"], plan.manifests)
    return page


def _ask(page: PreviewPage, row: Cluster, manifests: list[Manifest]) -> None:
    page.cluster = row
    try:
        manifests = [_with_id(manifest) for manifest in manifests]
        page.verdicts = dry_run(kube.connect(row), manifests, page.scratch.cleaned_data["scratch"])
    except ReconcileError as error:
        page.error = error.message


def _with_id(manifest: Manifest) -> Manifest:
    """With an id such as a request will give it: what the preview shows in its place is no label's value."""
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    key = environment_label(settings.LABEL_DOMAIN)
    if key not in labels:
        return manifest
    return manifest | {"metadata": metadata | {"labels": labels | {key: str(uuid.uuid4())}}}


def _form(version: TemplateVersion, user: User, data: QueryDict | None) -> RequestForm:
    """The portal's own request form, on every cluster, without what concerns people."""
    form = TrialForm(user, version, data)
    for name in ("collaborators", "collaborator_role", "team", "purpose"):
        form.fields.pop(name, None)
    clusters = Cluster.objects.all()
    form.fields["cluster"] = RowField(clusters, empty_label=None, initial=clusters.first())
    form.fields["name"].initial = "example"
    form.fields["name"].widget.attrs.pop("autofocus", None)
    return form
