"""Requesting again what was rejected, withdrawn or deleted: the request form with the earlier answers.

An answer that the template no longer accepts becomes an error at its field, or above the form if the field is gone.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from environments.actions.drafts import parameter_field
from environments.lib.phases import OVER, Role
from environments.models import Environment, Member, TemplateVersion, User
from environments.spec import Mode, Parameter
from environments.web.forms import RequestForm

_LONGEST = 120  # characters of an answer that is quoted


@dataclass(frozen=True)
class _Answer:
    """The value of a field (None: as in an empty form), and the error to show there."""

    field: str
    value: Any = None
    remark: str = ""


def find(user: User, slug: str, namespace: str) -> Environment | None:
    """The environment to request again, by its namespace; None unless it is of this template, over, and visible."""
    if not re.fullmatch(r"[a-z0-9-]{1,63}", namespace):
        return None
    rows = Environment.objects.visible_to(user).filter(namespace=namespace, phase__in=OVER)
    related = ("owner", "team", "cluster", "decided_by", "version__template")
    return rows.filter(version__template__slug=slug).select_related(*related).first()


def filled_in(user: User, version: TemplateVersion, earlier: Environment) -> RequestForm:
    """A version's form with the earlier answers, checked, with an error for each that is no longer accepted."""
    blank = RequestForm(user, version)
    answers = [*_words(earlier), *_size(blank, earlier), *_parameters(blank, earlier), *_places(blank, earlier)]
    answers += _collaborators(blank, earlier)
    data = _untouched(blank) | {each.field: each.value for each in answers if each.value is not None}
    form = RequestForm(user, version, data)
    form.is_valid()
    _forgive(form, {each.field for each in answers if each.value or each.remark})
    for each in answers:
        if each.remark:
            form.add_error(each.field if each.field in form.fields else None, each.remark)
    return form


def _forgive(form: RequestForm, answered: set[str]) -> None:
    """Take back that a question without an earlier answer is required: nobody has had the chance to answer it."""
    for name, errors in form.errors.as_data().items():
        if name not in answered and all(error.code == "required" for error in errors):
            del form.errors[name]


def _untouched(form: RequestForm) -> dict[str, Any]:
    """What a browser would send of an untouched form: of a list without a choice, the first."""
    data = {name: form[name].value() for name in form.fields}
    for name, field in form.fields.items():
        if isinstance(field, forms.ChoiceField) and not data[name]:
            data[name] = next((value for value, _ in cast("Iterable[tuple[Any, str]]", field.choices)), None)
    return data


def _words(earlier: Environment) -> Iterator[_Answer]:
    yield _Answer("name", earlier.name)
    yield _Answer("purpose", earlier.purpose)


def _size(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    if earlier.size:
        label = earlier.size_label or earlier.size
        yield _chosen(form, "size", earlier.size, f"The size {label} is no longer available to you.")


def _parameters(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    """The answers to the questions that remain, then to those that are gone."""
    spec = earlier.readable_spec
    before = {parameter.name: parameter for parameter in spec.parameters} if spec else {}
    asked = {parameter.name: parameter for parameter in form.spec.parameters}
    for name in dict.fromkeys([*asked, *before, *earlier.parameters]):
        value = str(earlier.parameters.get(name, ""))
        if not value:
            continue
        if name in asked and asked[name].mode is not Mode.FIXED:
            gone = f"“{_short(value)}” is no longer offered."
            yield _chosen(form, parameter_field(name), value, gone)
        elif (name not in before or before[name].mode is not Mode.FIXED) and (
            name not in asked or asked[name].default != value
        ):
            yield _Answer("", remark=_not_asked(name, value, before.get(name), asked.get(name)))


def _not_asked(name: str, value: str, before: Parameter | None, now: Parameter | None) -> str:
    described = now or before
    title = described.title if described else name
    fixed = f"is now fixed to “{_short(now.default)}” by the template" if now else "is no longer asked for"
    return f"{title} {fixed}. You had “{_short(value)}”."


def _places(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    cluster, team = earlier.cluster, earlier.team
    if "cluster" in form.fields:
        why = "no longer offers this template"
        if cluster.lost_at:
            why = "no longer exists"
        elif not cluster.accepts_new:
            why = "accepts no new environments now"
        yield _chosen(form, "cluster", cluster.pk, f"{cluster} {why}.")
    if team:
        yield _chosen(form, "team", team.pk, f"You are not a member of the team {team}.")


def _collaborators(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    """Everyone who had access except the requester, with one role for all: the form has one role."""
    members = [each for each in earlier.members.filter(wanted=True) if not each.is_of(form.user)]
    if not members:
        return
    addresses = ", ".join(member.email for member in members)
    if "collaborators" not in form.fields:
        yield _Answer("", remark=f"This template no longer allows collaborators. You had {_short(addresses)}.")
        return
    yield _Answer("collaborators", addresses)
    yield from _role(form, [each for each in members if not each.is_of(earlier.owner)])


def _role(form: RequestForm, members: list[Member]) -> Iterator[_Answer]:
    """Their role; of several the lowest, so that no one gets more than they had."""
    had = {Role(member.role) for member in members}
    least = next((role for role in (Role.VIEWER, Role.DEVELOPER, Role.ADMIN) if role in had), None)
    if least is None:
        return
    answer = _chosen(form, "collaborator_role", least.value, f"The role {least.label} is no longer offered.")
    if len(had) > 1 and not answer.remark:
        each = ", ".join(f"{member.email} {member.role}" for member in members)
        roles = f"Members had different roles ({_short(each)})"
        remark = f"{roles}. Choose one for now; you can change it per person later."
        answer = _Answer(answer.field, answer.value, remark)
    yield answer


def _chosen(form: RequestForm, name: str, value: Any, otherwise: str) -> _Answer:
    """The answer if the field accepts it, otherwise the error."""
    field = form.fields.get(name)
    if field is None:
        return _Answer(name, remark=otherwise)
    return _Answer(name, value) if _offers(field, value) else _Answer(name, remark=f"{otherwise} Choose another.")


def _offers(field: forms.Field, value: Any) -> bool:
    """Whether a field has a value among its choices; a field without choices checks its value itself."""
    if isinstance(field, forms.ChoiceField):
        try:
            field.clean(value)
        except ValidationError:
            return False
    return True


def _short(text: str) -> str:
    return shorten(text, _LONGEST, placeholder=" …")
