"""Forms: the request form, made from a template version's own description, and the list's filters."""

import uuid
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import MaxValueValidator
from django.db.models import Q

from environments.actions import access_tokens, approvals, details, drafts, group_members, placement
from environments.actions.addresses import MAX_ADDRESSES
from environments.actions.drafts import CheckedPlan, Draft, max_length, parameter_field, usable_sizes
from environments.lib import dates, quantities
from environments.lib.phases import Phase, Role
from environments.lib.row_fields import RowField
from environments.models import Cluster, Environment, Team, Template, TemplateVersion, User
from environments.models.environments import Alerts
from environments.models.templates import Placement
from environments.routine import alerts
from environments.spec import Kind, Mode, Parameter, Size, TemplateSpec
from environments.web.addresses import AddressesField
from environments.web.pages.sorting import SORTS

NO_ACCESS = "none"  # what a former owner can keep instead of a role
_NO_COMPLETION = {"autocomplete": "off"}


class RequestForm(forms.Form):
    """The request form of any template: its sizes and parameters become fields."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=drafts.MAX_NAME,
        help_text="Letters, digits and spaces. Becomes part of the namespace name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    purpose = forms.CharField(
        label="Purpose",
        max_length=drafts.MAX_PURPOSE,
        required=False,
        help_text="Helps others recognise it, for example: load tests for the new checkout.",
    )

    checked: CheckedPlan  # once the form is valid

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
            choices = [(size.name, size.title) for size in self.sizes]
            self.fields["size"] = forms.ChoiceField(
                choices=choices, initial=choices[0][0] if choices else None, widget=forms.RadioSelect
            )

    def _add_parameters(self) -> None:
        for parameter in self.spec.parameters:
            if parameter.mode is not Mode.FIXED:
                self.fields[parameter_field(parameter.name)] = form_field(parameter, self.spec, parameter.default)

    def _add_places(self) -> None:
        template = self.template_version.template
        if template.placement == Placement.CHOICE:
            clusters = placement.candidates(template)
            self.fields["cluster"] = RowField(clusters, empty_label=None, initial=cache(clusters.first))
        teams = self.user.teams.all()
        if teams:
            self.fields["team"] = RowField(
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
                "label": size.title,
                "figures": size_figures(self.spec, size),
                "approval": size in self.spec.approval_sizes(),
                "checked": size.name == chosen,
            }
            for size in self.sizes
        ]

    def parameter_fields(self) -> list[forms.BoundField]:
        """The template's own questions."""
        names = [parameter_field(each.name) for each in self.spec.parameters]
        return [self[name] for name in names if name in self.fields]

    # Checking

    def clean(self) -> dict[str, Any]:
        """All that `request_environment` refuses, each sentence at its field."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("version") not in (None, self.template_version.pk):
            self.add_error(None, drafts.OUTDATED)
            self.data = dict(self.data.items()) | {"version": str(self.template_version.pk)}
        try:
            self.check(self.draft())
        except ValidationError as refusal:
            add_refusal(self, refusal)
        return cleaned

    def check(self, draft: Draft) -> None:
        """Raise ValidationError, by field, with what the verb would refuse."""
        self.checked = drafts.check(self.user, draft)

    def draft(self) -> Draft:
        """What the form says so far; what is missing or wrong is as in an empty form."""
        role = Role(self._answer("collaborator_role") or Role.VIEWER)
        return Draft(
            version=self.template_version,
            name=self._answer("name") or str(self["name"].value() or ""),
            purpose=self._answer("purpose") or "",
            key=self._answer("key"),
            cluster=self._answer("cluster"),
            team=self._answer("team"),
            size=self._answer("size") or "",
            parameters=self._parameters(),
            collaborators=dict.fromkeys(self._answer("collaborators") or [], role),
        )

    def _answer(self, name: str) -> Any:
        """A field's checked answer, else what it begins with; None where the template does not ask."""
        cleaned = getattr(self, "cleaned_data", {})
        if name in cleaned or name not in self.fields:
            return cleaned.get(name)
        return self.get_initial_for_field(self.fields[name], name)

    def _parameters(self) -> dict[str, str]:
        asked = [each.name for each in self.spec.parameters if parameter_field(each.name) in self.fields]
        answers = {name: self._answer(parameter_field(name)) for name in asked}
        return {name: str(value).lower() if isinstance(value, bool) else value or "" for name, value in answers.items()}


def add_refusal(form: forms.Form, refusal: ValidationError) -> None:
    """Say what a verb refused: at its field unless that has an error, above the form where it has no such field."""
    by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {NON_FIELD_ERRORS: refusal.error_list}
    for name, errors in by_field.items():
        shown = name in form.fields and not form[name].is_hidden
        if name == NON_FIELD_ERRORS or name not in form.errors:
            form.add_error(name if shown else None, errors)


class FilterForm(forms.Form):
    """The filters of the list of environments; kept in the address, so that a view can be shared."""

    q = forms.CharField(
        label="Search", required=False, widget=forms.SearchInput(attrs={"placeholder": "Name, namespace, owner"})
    )
    phase = forms.ChoiceField(label="State", required=False, choices=[("", "Any state"), *Phase.choices])
    template = RowField(
        Template.objects.only("slug", "name"), required=False, to_field_name="slug", empty_label="Any template"
    )
    cluster = RowField(
        Cluster.objects.only("slug", "name"), required=False, to_field_name="slug", empty_label="Any cluster"
    )
    sort = forms.ChoiceField(label="Sort by", required=False, choices=SORTS)
    mine = forms.BooleanField(label="Only mine", required=False)
    outdated = forms.BooleanField(label="Update available", required=False)
    orphaned = forms.BooleanField(label="Without owner", required=False)

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        if user.is_platform_admin:
            return
        # Templates that the user can neither request nor see an environment of are not listed.
        seen = Environment.objects.visible_to(user).order_by()
        usable = Template.objects.usable_by(user).values("pk")
        shown = Q(pk__in=usable) | Q(pk__in=seen.values("version__template"))
        templates = Template.objects.only("slug", "name").filter(shown)
        cast("forms.ModelChoiceField[Template]", self.fields["template"]).queryset = templates


class MembersForm(forms.Form):
    """The people to add, and their role."""

    addresses = AddressesField(
        label="Email addresses", help_text=f"Up to {MAX_ADDRESSES}, separated by commas or line breaks."
    )
    role = forms.ChoiceField()

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data)
        cast(forms.ChoiceField, self.fields["role"]).choices = _role_choices(environment)


class GroupForm(forms.Form):
    """A group of the directory, and its role. Suggestions are the groups of the person's own last sign-in."""

    group = forms.CharField(
        label="Group",
        max_length=group_members.MAX_NAME,
        strip=True,
        help_text="Its name in your directory. The group itself is not changed.",
        widget=forms.TextInput(_NO_COMPLETION | {"list": "own-groups"}),
    )
    role = forms.ChoiceField()

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data, auto_id="id_group_%s")
        cast(forms.ChoiceField, self.fields["role"]).choices = _role_choices(environment)


class TeamForm(forms.Form):
    """A team of the portal, and its role."""

    team = forms.ModelChoiceField(
        Team.objects.none(),
        empty_label="Choose a team",
        help_text="Everyone in the team has access, as long as they are in it.",
    )
    role = forms.ChoiceField()

    def __init__(self, environment: Environment, user: User, data: Any = None) -> None:
        super().__init__(data, auto_id="id_team_%s")
        cast("forms.ModelChoiceField[Team]", self.fields["team"]).queryset = Team.objects.shareable_by(user)
        cast(forms.ChoiceField, self.fields["role"]).choices = _role_choices(environment)


class DetailsForm(forms.Form):
    """An environment's title, purpose and team."""

    name = forms.CharField(
        max_length=drafts.MAX_NAME, help_text="The namespace keeps its name.", widget=forms.TextInput(_NO_COMPLETION)
    )
    purpose = forms.CharField(
        max_length=drafts.MAX_PURPOSE,
        required=False,
        help_text="Helps others recognise it, for example: load tests for the new checkout.",
    )
    team = RowField(
        Team.objects.none(),
        required=False,
        empty_label="No team",
        help_text="Team members can see the environment. Reports count all its usage and cost for this team.",
    )

    def __init__(self, environment: Environment, data: Any = None) -> None:
        now = {"name": environment.name, "purpose": environment.purpose, "team": environment.team}
        super().__init__(data, initial=now)
        allowed = Q(pk__in=details.teams(environment)) | Q(pk=environment.team_id)
        team = cast("forms.ModelChoiceField[Team]", self.fields["team"])
        team.queryset = Team.objects.filter(allowed)
        if environment.team:  # what belongs to a team goes to another one, not to nobody
            team.required, team.empty_label = True, None


class HandoverForm(forms.Form):
    """The new owner of an environment, and the role that the current owner keeps."""

    address = forms.EmailField(
        label="New owner", help_text="Their email address. They must have signed in to this portal once."
    )
    keep = forms.ChoiceField(
        label="Current owner keeps",
        error_messages={"required": "Choose what the current owner keeps."},
    )

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data)
        choices = [("", "Choose a role"), *_role_choices(environment), (NO_ACCESS, "No access")]
        cast(forms.ChoiceField, self.fields["keep"]).choices = choices

    def kept(self) -> Role | None:
        """The role of the checked form; None for no access."""
        keep = self.cleaned_data["keep"]
        return None if keep == NO_ACCESS else Role(keep)


class TokenForm(forms.Form):
    """How long a token is valid."""

    hours = forms.IntegerField(min_value=1, label="Valid for (hours)")

    def __init__(self, cluster: Cluster, data: Any = None) -> None:
        maximum, cap = cluster.max_token_hours, cluster.token_cap_seconds
        super().__init__(data, initial={"hours": access_tokens.usual_hours(maximum)})
        hours = cast(forms.IntegerField, self.fields["hours"])
        hours.validators.append(MaxValueValidator(maximum))
        hours.widget.attrs["max"] = maximum
        hours.help_text = f"Up to {maximum}. Then download a new file."
        if cap and cap < maximum * 3600:
            hours.help_text += f" This cluster shortens tokens: the last one was valid for {dates.lifetime(cap)}."


class SignInForm(forms.Form):
    """How kubelogin signs in."""

    device_code = forms.BooleanField(
        label="Sign in with a code on another device",
        required=False,
        help_text="For a computer without a browser. The identity provider must allow the device code flow.",
    )


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


def size_figures(spec: TemplateSpec, size: Size) -> list[str]:
    """A size's main figures: `500m CPU`, `1 GiB memory`, `25 pods`."""
    quota = spec.quota | size.quota
    main = ("requests.cpu", "requests.memory", "requests.nvidia.com/gpu", "pods")
    known = [resource for resource in main if resource in quota and "${" not in quota[resource]]
    return [quantities.phrase(resource, quantities.parse(quota[resource])) for resource in known]


def _role_choices(environment: Environment) -> list[tuple[str, str]]:
    spec = environment.readable_spec
    return [(role.value, str(role.label)) for role in spec.collaborator_roles] if spec else []


def form_field(parameter: Parameter, spec: TemplateSpec, answer: str) -> forms.Field:
    """The form field of a parameter, with the widget that suits its type; it begins with an answer."""
    common: dict[str, Any] = {
        "label": parameter.title,
        "help_text": parameter.help,
        "required": parameter.required,
        "initial": answer,
    }
    if parameter.choices:
        blank = [] if parameter.required or parameter.default else [("", "—")]
        return forms.ChoiceField(choices=[*blank, *_choices(parameter, spec)], **common)
    longest = max_length(parameter)
    match parameter.type:
        case Kind.BOOLEAN:
            common |= {"required": False, "initial": answer == "true"}
            return forms.BooleanField(**common)
        case Kind.TEXT:
            return forms.CharField(max_length=longest, widget=forms.Textarea(attrs={"rows": 4}), **common)
        case _:
            return forms.CharField(max_length=longest, **common)


def _choices(parameter: Parameter, spec: TemplateSpec) -> Iterator[tuple[str, str]]:
    """The values of a list, quantities as they are shown everywhere else: `1 core` for 1000m of a CPU quota."""
    figures = [*spec.quota.items(), *(item for size in spec.sizes for item in size.quota.items())]
    resource = next((name for name, amount in figures if amount == f"${{{parameter.name}}}"), "")
    for value in parameter.choices:
        shown = resource and parameter.type is Kind.QUANTITY
        yield value, quantities.human(resource, quantities.parse(value)) if shown else value
