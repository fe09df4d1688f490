"""The fields that are not in a table: isolation, security, roles, lifetime, names, more manifests."""

from typing import Any

from django import forms

from environments.catalog.forms.tables import Data
from environments.lib.phases import Role
from environments.spec import TemplateSpec

LEVELS = [(level, level.capitalize()) for level in ("privileged", "baseline", "restricted")]

#: Fields of the page by the part of the description that they belong to.
GROUPS = {
    "network": ("dns", "same_namespace", "ingress_controller"),
    "pod_security": ("enforce", "audit", "warn"),
    "admission": (
        "priority_classes",
        "extended_resources",
        "image_registries",
        "control_plane_nodes",
        "external_ips",
        "external_names",
        "host_names",
    ),
    "extension": ("maximum_days", "times"),
    "naming": ("namespace", "group"),
}
TOP = ("owner_role", "collaborator_roles", "lifetime_days", "approval", "automount_token", "manifests")


class WordsField(forms.CharField):
    """Several words in one line, with commas or spaces between them."""

    def __init__(self, **options: Any) -> None:
        text = forms.TextInput(attrs={"class": "code", "size": 44, "spellcheck": "false"})
        super().__init__(required=False, widget=text, **options)

    def prepare_value(self, value: Any) -> Any:
        """As people type it."""
        return value if value is None or isinstance(value, str) else ", ".join(value)

    def clean(self, value: Any) -> list[str]:
        """The words, each once."""
        return list(dict.fromkeys(super().clean(value).replace(",", " ").split()))


class GeneralForm(forms.Form):
    """One field for each thing that a template says once."""

    dns = forms.BooleanField(label="DNS lookups", required=False)
    same_namespace = forms.BooleanField(label="Traffic inside the namespace", required=False)
    ingress_controller = forms.BooleanField(
        label="Traffic from the ingress controller", required=False, help_text="The cluster's page names its namespace."
    )
    enforce = forms.ChoiceField(choices=LEVELS, help_text="Pods that exceed this level are rejected.")
    audit = forms.ChoiceField(choices=LEVELS, help_text="Pods that exceed this level are recorded in the audit log.")
    warn = forms.ChoiceField(choices=LEVELS, help_text="People who create pods that exceed this level get a warning.")
    automount_token = forms.BooleanField(
        label="Mount the default service account's token into pods",
        required=False,
        help_text="Clear this if pods do not need the Kubernetes API.",
    )
    priority_classes = WordsField(
        label="Priority classes", help_text="Pods can name only these, and those with a value of 0 or less."
    )
    extended_resources = WordsField(
        label="More extended resources",
        help_text="Containers can request only these and those in the quota, for example nvidia.com/gpu.",
    )
    image_registries = WordsField(
        label="Image registries", help_text="For example registry.example.com/team. Empty: images from anywhere."
    )
    control_plane_nodes = forms.BooleanField(
        label="Pods may choose their node and use control plane nodes", required=False
    )
    external_ips = forms.BooleanField(label="Services may have externalIPs", required=False)
    external_names = forms.BooleanField(label="Services may have the type ExternalName", required=False)
    host_names = WordsField(
        label="Host names",
        help_text="Of Ingresses and routes, for example *.${namespace}.example.com. Empty: those of the cluster.",
    )
    owner_role = forms.ChoiceField(label="Owner's role", choices=Role.choices)
    collaborator_roles = forms.MultipleChoiceField(
        label="Roles for collaborators",
        required=False,
        choices=Role.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="Without a role, owners cannot add collaborators.",
    )
    lifetime_days = forms.IntegerField(
        label="Initial lifetime (days)", required=False, min_value=1, max_value=3650, help_text="Empty: no end."
    )
    maximum_days = forms.IntegerField(
        label="Maximum lifetime (days)",
        required=False,
        min_value=1,
        max_value=3650,
        help_text="With extensions. Empty: no limit.",
    )
    times = forms.IntegerField(
        label="Extensions", required=False, min_value=0, max_value=1000, help_text="Empty: no limit."
    )
    approval = forms.BooleanField(
        label="Every request needs approval",
        required=False,
        help_text="By a manager of the requester’s team, or by a platform admin. Sizes can also require it, above.",
    )
    namespace = forms.CharField(
        label="Namespace",
        widget=forms.TextInput(attrs={"class": "code", "size": 44, "spellcheck": "false"}),
        help_text="Can use ${owner}, ${name}, ${team}, ${template}, ${size} and ${suffix}.",
    )
    group = forms.CharField(
        label="Directory group",
        widget=forms.TextInput(attrs={"class": "code", "size": 44, "spellcheck": "false"}),
        help_text="Can use ${namespace}, ${role}, ${owner}, ${name}, ${team} and ${template}.",
    )
    manifests = forms.CharField(
        label="YAML documents",
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"class": "code", "rows": 8, "cols": 100, "spellcheck": "false"}),
        help_text="Created in the namespace in addition to the above. Values can use ${parameter}.",
    )

    def __init__(self, data: Any, spec: TemplateSpec) -> None:
        super().__init__(data, initial=self._initial_of(spec))
        # Ticked ones first, in their order: a browser sends them as they stand, and the first is the form's default.
        order = list(spec.collaborator_roles) + [role for role in Role if role not in spec.collaborator_roles]
        roles: Any = self.fields["collaborator_roles"]
        roles.choices = [(role.value, role.label) for role in order]

    def complain(self, field: str, sentence: str) -> None:
        """Put a sentence at a field, once; extra manifests may have many."""
        if not self.is_bound:
            self.cleaned_data: Data = {}  # Django takes errors only of forms that came from a browser
        if sentence not in self.errors.get(field, []):
            self.add_error(field, sentence)

    @staticmethod
    def _initial_of(spec: TemplateSpec) -> Data:
        plain = spec.model_dump(mode="json") | {"admission": dict(spec.admission)}  # with what a dump leaves out
        grouped = {field: plain[group][field] for group, fields in GROUPS.items() for field in fields}
        return grouped | {field: plain.get(field) for field in TOP}

    def data_of(self, base: Data) -> Data:
        """The fields as a spec's data; what the form does not know stays as it is in `base`."""
        groups = {group: base.get(group, {}) | self._values(fields) for group, fields in GROUPS.items()}
        return groups | self._values(TOP)

    def _values(self, fields: tuple[str, ...]) -> Data:
        values = {field: self.cleaned_data.get(field) for field in fields}
        return {
            field: value.replace("\r\n", "\n") if isinstance(value, str) else value for field, value in values.items()
        }
