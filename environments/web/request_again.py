"""Asking once more for what was rejected, withdrawn or deleted: the request form, filled in as it was then.

What the template does not take any more is said at its field, or above the form where there is no field for it.
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
    """What a field is filled in with (None: as in an empty form), and what is to be said there."""

    field: str
    value: Any = None
    remark: str = ""


def find(user: User, slug: str, namespace: str) -> Environment | None:
    """What somebody asks for again, by its namespace; None unless it is of this template, over, and theirs to see."""
    if not re.fullmatch(r"[a-z0-9-]{1,63}", namespace):
        return None
    rows = Environment.objects.visible_to(user).filter(namespace=namespace, phase__in=OVER)
    related = ("owner", "team", "cluster", "decided_by", "version__template")
    return rows.filter(version__template__slug=slug).select_related(*related).first()


def filled_in(user: User, version: TemplateVersion, earlier: Environment) -> RequestForm:
    """A version's form with the answers of then, checked, with a remark for each that it does not take any more."""
    blank = RequestForm(user, version)
    answers = [*_words(earlier), *_size(blank, earlier), *_parameters(blank, earlier), *_places(blank, earlier)]
    answers += _collaborators(blank, earlier)
    data = _untouched(blank) | {each.field: each.value for each in answers if each.value is not None}
    form = RequestForm(user, version, data)
    form.is_valid()
    for each in answers:
        if each.remark:
            form.add_error(each.field if each.field in form.fields else None, each.remark)
    return form


def _untouched(form: RequestForm) -> dict[str, Any]:
    """What a browser would send of a form that nobody touched: of a list without a choice, what stands first."""
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
        it_was = f"It had the size {earlier.size_label or earlier.size}"
        yield _chosen(form, "size", earlier.size, f"{it_was}, which is not offered to you any more.")


def _parameters(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    """The answers to what is still asked, then what is not asked any more."""
    spec = earlier.readable_spec
    before = {parameter.name: parameter for parameter in spec.parameters} if spec else {}
    asked = {parameter.name: parameter for parameter in form.spec.parameters}
    for name in dict.fromkeys([*asked, *before, *earlier.parameters]):
        value = str(earlier.parameters.get(name, ""))
        if not value:
            continue
        if name in asked and asked[name].mode is not Mode.FIXED:
            was = f"It was “{_short(value)}”, which is not offered any more."
            yield _chosen(form, parameter_field(name), value, was)
        elif (name not in before or before[name].mode is not Mode.FIXED) and (
            name not in asked or asked[name].default != value
        ):
            yield _Answer("", remark=_not_asked(name, value, before.get(name), asked.get(name)))


def _not_asked(name: str, value: str, before: Parameter | None, now: Parameter | None) -> str:
    described = now or before
    title = described.title if described else name
    fixed = f"is fixed to “{_short(now.default)}” by the template now" if now else "is not asked any more"
    return f"{title} {fixed}; it was “{_short(value)}”."


def _places(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    cluster, team = earlier.cluster, earlier.team
    if "cluster" in form.fields:
        why = "is not offered for this template any more"
        if cluster.lost_at:
            why = "is gone"
        elif not cluster.accepts_new:
            why = "accepts no new environments at the moment"
        yield _chosen(form, "cluster", cluster.pk, f"It was on {cluster}, which {why}.")
    if team:
        yield _chosen(form, "team", team.pk, f"It was for the team {team}, in which you are not.")


def _collaborators(form: RequestForm, earlier: Environment) -> Iterator[_Answer]:
    """Everybody who had access but whoever asks now, with one role for all: the form has no other."""
    own = form.user.email.lower()
    members = [each for each in earlier.members.filter(wanted=True) if each.email.lower() != own]
    if not members:
        return
    addresses = ", ".join(member.email for member in members)
    if "collaborators" not in form.fields:
        yield _Answer("", remark=f"The template takes no collaborators any more; it had {_short(addresses)}.")
        return
    yield _Answer("collaborators", addresses)
    yield from _role(form, [each for each in members if each.email.lower() != earlier.owner.email.lower()])


def _role(form: RequestForm, members: list[Member]) -> Iterator[_Answer]:
    """Their role; of several the least, so that nobody gets more than they had."""
    had = {Role(member.role) for member in members}
    least = next((role for role in (Role.VIEWER, Role.DEVELOPER, Role.ADMIN) if role in had), None)
    if least is None:
        return
    answer = _chosen(form, "collaborator_role", least.value, f"It was {least.label}, which is not offered any more.")
    if len(had) > 1 and not answer.remark:
        each = ", ".join(f"{member.email} {member.role}" for member in members)
        remark = f"They had different roles ({_short(each)}). All get the same one here; give others more on its page."
        answer = _Answer(answer.field, answer.value, remark)
    yield answer


def _chosen(form: RequestForm, name: str, value: Any, otherwise: str) -> _Answer:
    """The answer, where the field offers it or takes any; else what is said of it."""
    field = form.fields.get(name)
    return _Answer(name, value) if field and _offers(field, value) else _Answer(name, remark=otherwise)


def _offers(field: forms.Field, value: Any) -> bool:
    """Whether a field has a value among its choices; one that has none says itself what is wrong with it."""
    if isinstance(field, forms.ChoiceField):
        try:
            field.clean(value)
        except ValidationError:
            return False
    return True


def _short(text: str) -> str:
    return shorten(text, _LONGEST, placeholder=" …")
