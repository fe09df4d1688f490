"""Forms: the request form, made from a template version's own description, and the list's filters."""

import re
import uuid
from dataclasses import asdict
from functools import cache
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db.models import Q

from environments.actions import approvals, placement
from environments.actions import environments as actions
from environments.lib import naming, quantities
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, Template, TemplateVersion, User
from environments.models.environments import Alerts
from environments.models.templates import Placement
from environments.routine import alerts
from environments.spec import Kind, Mode, Parameter, Size, TemplateSpec
from environments.web.addresses import MAX_ADDRESSES, AddressesField, check_known


class RequestForm(forms.Form):
    """The request form of any template: its sizes and parameters become fields."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=40,
        help_text="Letters, digits and spaces. Becomes part of the namespace name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    purpose = forms.CharField(
        label="Purpose",
        max_length=200,
        required=False,
        help_text="Helps others recognise it, for example: load tests for the new checkout.",
    )

    def __init__(self, user: User, template_version: TemplateVersion, data: Any = None) -> None:
        key = uuid.uuid4()
        super().__init__(data, initial={"key": key, "version": template_version.pk})
        self.user, self.template_version, self.spec = user, template_version, template_version.parsed()
        self.sizes = usable_sizes(self.spec, user)
        self._add_sizes()
        self._add_parameters()
        self._add_places()
        self._add_collaborators()

    # The fields that only this template has

    def _add_sizes(self) -> None:
        if self.spec.sizes:
            choices = [(size.name, size_label(size)) for size in self.sizes]
            self.fields["size"] = forms.ChoiceField(
                choices=choices, initial=choices[0][0] if choices else None, widget=forms.RadioSelect
            )

    def _add_parameters(self) -> None:
        for parameter in self.spec.parameters:
            if parameter.mode is not Mode.FIXED:
                self.fields[_field_name(parameter)] = _parameter_field(parameter)

    def _add_places(self) -> None:
        template = self.template_version.template
        if template.placement == Placement.CHOICE:
            clusters = placement.candidates(template)
            self.fields["cluster"] = forms.ModelChoiceField(clusters, empty_label=None, initial=cache(clusters.first))
        teams = self.user.teams.all()
        if teams:
            self.fields["team"] = forms.ModelChoiceField(
                teams, empty_label=None, initial=teams[0], help_text="Team members can see the environment."
            )

    def _add_collaborators(self) -> None:
        roles = self.spec.collaborator_roles
        if not roles:
            return
        self.fields["collaborators"] = AddressesField(
            required=False,
            help_text=f"Up to {MAX_ADDRESSES} email addresses, separated by commas. They get access when you do.",
        )
        self.fields["collaborator_role"] = forms.ChoiceField(
            label="Collaborator role", choices=[(role.value, role.label) for role in roles], initial=roles[0].value
        )

    # What the page shows besides the fields

    @property
    def size_cards(self) -> list[dict[str, Any]]:
        """The sizes with their main figures in words, for the radio cards."""
        chosen = self["size"].value() if "size" in self.fields else None
        return [
            {
                "name": size.name,
                "label": size_label(size),
                "figures": size_figures(self.spec, size),
                "approval": size in self.spec.approval_sizes(),
                "checked": size.name == chosen,
            }
            for size in self.sizes
        ]

    def parameter_fields(self) -> list[forms.BoundField]:
        """The template's own questions."""
        names = map(_field_name, self.spec.parameters)
        return [self[name] for name in names if name in self.fields]

    def namespace(self) -> str:
        """The name of the namespace with the answers so far."""
        try:
            key = uuid.UUID(str(self["key"].value()))
        except ValueError:
            key = uuid.uuid4()
        return naming.namespace(self.name_parts(), naming.suffix_of(key), self.spec.naming.namespace)

    def name_parts(self) -> dict[str, str]:
        """What the patterns of names may use."""
        data = getattr(self, "cleaned_data", {})
        team = data.get("team") or (self.fields["team"].initial if "team" in self.fields else "")
        return naming.parts(
            owner_email=self.user.email,
            name=str(self["name"].value() or "") or "name",
            team=str(team),
            template=self.template_version.template.slug,
            size=str(data.get("size") or ""),
        )

    # Checking

    def clean_name(self) -> str:
        """The name; it must have a letter or digit, and not be a reserved one."""
        name = re.sub(r"\s+", " ", str(self.cleaned_data["name"])).strip()
        slug = naming.slug(name)
        if not slug:
            raise ValidationError("Use at least one letter or digit, for example checkout.")
        if naming.is_reserved(slug):
            raise ValidationError(f"“{slug}” is reserved for the cluster. Choose another name.")
        return name

    def clean_collaborators(self) -> list[str]:
        """The addresses, all in the directory if it answers."""
        addresses: list[str] = self.cleaned_data["collaborators"]
        check_known(addresses, self.user)
        return addresses

    def clean(self) -> dict[str, Any]:
        """Each parameter by its own rules, with the message at its field."""
        cleaned = super().clean() or self.cleaned_data
        for parameter in self.spec.parameters:
            field = _field_name(parameter)
            value = str(cleaned.get(field) or "")
            if field in cleaned and value:
                try:
                    parameter.check(value)
                except ValueError as error:
                    self.add_error(field, str(error))
        if not self.errors:
            self._check_figures(str(cleaned.get("size") or ""))
        if cleaned.get("version") not in (None, self.template_version.pk):
            self.add_error(
                None, "This template changed while you filled in the form. Check your answers and submit again."
            )
            self.data = dict(self.data.items()) | {"version": str(self.template_version.pk)}
        return cleaned

    def _check_figures(self, size: str) -> None:
        """What each answer is by itself may not do as part of a figure: `1.5` pods, a limit below its request."""
        for names, sentence in self.spec.misfits(size, self.values()):
            field = next((f"p_{name}" for name in names if f"p_{name}" in self.fields), None)
            self.add_error(field, sentence)

    def request(self) -> actions.Request:
        """The checked form as the action's input."""
        data = self.cleaned_data
        role = Role(data.get("collaborator_role") or Role.VIEWER)
        return actions.Request(
            version=self.template_version,
            name=data["name"],
            purpose=data["purpose"],
            key=data["key"],
            cluster=data.get("cluster"),
            team=data.get("team"),
            size=data.get("size", ""),
            parameters=self.values(),
            collaborators=dict.fromkeys(data.get("collaborators", []), role),
        )

    def values(self) -> dict[str, str]:
        """Each parameter's value: what was filled in, or its default."""
        return {parameter.name: self._value(parameter) for parameter in self.spec.parameters}

    def _value(self, parameter: Parameter) -> str:
        data = getattr(self, "cleaned_data", {})
        value = data.get(_field_name(parameter))
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if value not in (None, "") else parameter.default


class FilterForm(forms.Form):
    """The filters of the list of environments; kept in the address, so that a view can be shared."""

    q = forms.CharField(
        label="Search", required=False, widget=forms.SearchInput(attrs={"placeholder": "Name, namespace, owner"})
    )
    phase = forms.ChoiceField(label="State", required=False, choices=[("", "Any state"), *Phase.choices])
    template = forms.ModelChoiceField(
        Template.objects.all(), required=False, to_field_name="slug", empty_label="Any template"
    )
    cluster = forms.ModelChoiceField(
        Cluster.objects.all(), required=False, to_field_name="slug", empty_label="Any cluster"
    )
    sort = forms.ChoiceField(
        label="Sort by",
        required=False,
        choices=[("", "Newest"), ("fullest", "Highest usage"), ("ends", "Expires soonest"), ("name", "Name")],
    )
    mine = forms.BooleanField(label="Only mine", required=False)
    orphaned = forms.BooleanField(label="Without owner", required=False)

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        # Templates that the user can neither request nor see an environment of are not listed.
        seen = Environment.objects.visible_to(user).order_by()
        usable = Template.objects.usable_by(user).values("pk")
        templates = Template.objects.filter(Q(pk__in=usable) | Q(pk__in=seen.values("version__template")))
        cast("forms.ModelChoiceField[Template]", self.fields["template"]).queryset = templates


class MembersForm(forms.Form):
    """The people to add, and their role."""

    addresses = AddressesField(
        label="Email addresses", help_text=f"Up to {MAX_ADDRESSES}, separated by commas or line breaks."
    )
    role = forms.ChoiceField()

    def __init__(self, environment: Environment, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.environment, self.user = environment, user
        cast(forms.ChoiceField, self.fields["role"]).choices = _role_choices(environment)

    def clean_addresses(self) -> list[str]:
        """The addresses, all in the environment's directory if it answers."""
        addresses: list[str] = self.cleaned_data["addresses"]
        check_known(addresses, self.user, self.environment.directory)
        return addresses


class HandoverForm(forms.Form):
    """The new owner of an environment, and the role that the current owner keeps."""

    address = forms.EmailField(
        label="New owner", help_text="The email address of someone who has signed in to this portal before."
    )
    keep = forms.ChoiceField(label="Current owner keeps", required=False)

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data)
        cast(forms.ChoiceField, self.fields["keep"]).choices = [("", "No access"), *_role_choices(environment)]


class TokenForm(forms.Form):
    """How long a token is valid."""

    hours = forms.IntegerField(min_value=1, label="Valid for (hours)")

    def __init__(self, maximum: int, data: Any = None) -> None:
        super().__init__(data, initial={"hours": min(8, maximum)})
        hours = cast(forms.IntegerField, self.fields["hours"])
        hours.validators.append(MaxValueValidator(maximum))
        hours.widget.attrs["max"] = maximum
        hours.help_text = f"Up to {maximum}. Then download a new file."


_ALERTS = [
    (Alerts.MAIL, "By email and in the portal"),
    (Alerts.PORTAL, "In the portal only"),
    (Alerts.OFF, "Off"),
]


class AlertsForm(forms.Form):
    """Whether, how and from which usage alerts are sent."""

    where = forms.ChoiceField(label="Notify", choices=_ALERTS)
    warn = forms.IntegerField(
        label="First alert at", min_value=1, max_value=100, help_text="Percent of the quota, for example 80."
    )
    bad = forms.IntegerField(
        label="Second alert at", min_value=1, max_value=100, help_text="Percent of the quota, for example 80."
    )

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data, initial=asdict(alerts.Choice.of(environment)))

    def clean(self) -> dict[str, Any]:
        """The first alert comes before the second."""
        cleaned = super().clean() or self.cleaned_data
        warn, bad = cleaned.get("warn"), cleaned.get("bad")
        if warn is not None and bad is not None and warn >= bad:
            self.add_error("bad", f"Enter a number above the first alert ({warn}).")
        return cleaned

    def choice(self) -> alerts.Choice:
        """The checked form as the action's input."""
        return alerts.Choice(**self.cleaned_data)


class DecisionForm(forms.Form):
    """The note to the requester; rejecting needs one (approvals.py checks it)."""

    note = forms.CharField(
        required=False,
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Sent to the requester. Required when rejecting.",
    )

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data, auto_id=f"id_{environment.namespace}_%s")  # there may be many on a page
        self.environment = environment


class WithdrawForm(forms.Form):
    """Why a request is withdrawn, for its approvers."""

    note = forms.CharField(
        label="Reason",
        required=False,
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Shown on the request's page and in its history.",
    )


class DeleteForm(forms.Form):
    """The typed name that confirms a deletion."""

    typed_name = forms.CharField(label="Name", max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))


def usable_sizes(spec: TemplateSpec, user: User) -> list[Size]:
    """The sizes that a user may request: those for everyone or for one of their teams; all for platform admins."""
    if user.is_platform_admin or not any(size.teams for size in spec.sizes):
        return list(spec.sizes)
    teams = {team.name for team in user.teams.all()}
    return [size for size in spec.sizes if not size.teams or teams & set(size.teams)]


def size_label(size: Size) -> str:
    """What people call a size."""
    return size.label or size.name.replace("_", " ").capitalize()


def size_figures(spec: TemplateSpec, size: Size) -> list[str]:
    """A size's main figures: `0.5 cores`, `1 GiB`, `25 pods`."""
    quota = spec.quota | size.quota
    parts = []
    for resource in ("requests.cpu", "requests.memory", "requests.nvidia.com/gpu", "pods"):
        if resource in quota and "${" not in quota[resource]:
            text = quantities.human(resource, quantities.parse(quota[resource]))
            word = {"pods": " pods", "requests.nvidia.com/gpu": " GPUs"}.get(resource, "")
            parts.append(text + word)
    return parts


def _role_choices(environment: Environment) -> list[tuple[str, str]]:
    spec = environment.readable_spec
    return [(role.value, str(role.label)) for role in spec.collaborator_roles] if spec else []


def parameter_field_name(name: str) -> str:
    """The name of a parameter's field in the request form."""
    return f"p_{name}"


def _field_name(parameter: Parameter) -> str:
    return parameter_field_name(parameter.name)


def _parameter_field(parameter: Parameter) -> forms.Field:
    """The form field of a parameter, with the widget that suits its type."""
    common: dict[str, Any] = {
        "label": parameter.title,
        "help_text": parameter.help,
        "required": parameter.required,
        "initial": parameter.default,
    }
    if parameter.choices:
        blank = [] if parameter.required or parameter.default else [("", "—")]
        return forms.ChoiceField(choices=[*blank, *((value, value) for value in parameter.choices)], **common)
    match parameter.type:
        case Kind.BOOLEAN:
            common |= {"required": False, "initial": parameter.default == "true"}
            return forms.BooleanField(**common)
        case Kind.TEXT:
            return forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 4}), **common)
        case _:
            return forms.CharField(max_length=200, **common)
