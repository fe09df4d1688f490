"""What a person asks for, and every check of it. The verb, the request form and the preview share them.

A check yields a `Refusal` for each thing that is wrong, so that all are said at once, each at its field.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from environments.actions import addresses, placement
from environments.kube import manifests
from environments.lib import naming
from environments.lib.phases import Role
from environments.models import Cluster, Directory, Environment, Team, Template, TemplateVersion, User
from environments.models.templates import Placement
from environments.spec import Kind, Mode, Parameter, Size, TemplateSpec, extras

MAX_NAME, MAX_PURPOSE = 40, 200
OUTDATED = "This template was changed or retired while you filled in the form. Check your answers and send them again."


@dataclass(frozen=True)
class Draft:
    """What a person asks for, as plain data; nothing of it is checked."""

    version: TemplateVersion
    name: str
    cluster: Cluster | None  # None: the portal picks one
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    purpose: str = ""
    size: str = ""
    parameters: dict[str, str] = field(default_factory=dict)  # what is missing or empty gets its default
    team: Team | None = None
    collaborators: dict[str, Role] = field(default_factory=dict)  # email address -> role


@dataclass(frozen=True)
class Refusal:
    """One thing that is wrong with a draft, and the field at which to say it."""

    field: str
    code: str
    sentence: str


@dataclass(frozen=True)
class Plan:
    """A draft with everything filled in that it leaves open. `check` says whether it may be carried out."""

    user: User
    draft: Draft
    environment: Environment | None = None  # that gets another size or other answers; None: a new one

    @property
    def version(self) -> TemplateVersion:
        """The version that it is requested from."""
        return self.draft.version

    @property
    def template(self) -> Template:
        """The version's template."""
        return self.draft.version.template

    @cached_property
    def spec(self) -> TemplateSpec:
        """The version's content."""
        return self.environment.template_spec if self.environment else self.version.parsed()

    @property
    def name(self) -> str:
        """The name, with single spaces."""
        return one_line(self.draft.name)

    @property
    def purpose(self) -> str:
        """The purpose, without spaces around it."""
        return self.draft.purpose.strip()

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Each parameter's value: the answer, or the default."""
        given = self.draft.parameters
        return {each.name: given.get(each.name) or each.default for each in self.spec.parameters}

    @cached_property
    def collaborators(self) -> dict[str, Role]:
        """Everybody else's role, by address in lower case."""
        own = self.user.email.lower()
        found = {address.strip().lower(): role for address, role in self.draft.collaborators.items()}
        return {address: role for address, role in found.items() if address != own}

    @property
    def roles(self) -> dict[str, Role]:
        """Everybody's role by address, the owner's first."""
        return {self.user.email: self.spec.owner_role} | self.collaborators

    @cached_property
    def teams(self) -> list[Team]:
        """The requester's teams."""
        return list(self.user.teams.all())

    @cached_property
    def cluster(self) -> Cluster | None:
        """Where it goes: the chosen cluster, or the one with the least reserved; None if there is none."""
        return self.draft.cluster or placement.least_reserved(placement.candidates(self.template))

    @cached_property
    def directory(self) -> Directory | None:
        """Where its groups go; None if no directory is set up."""
        return Directory.objects.filter(is_default=True).first()


class CheckedPlan(Plan):
    """A plan that passed every check. Only `check` makes one."""


def check(user: User, draft: Draft) -> CheckedPlan:
    """The draft, ready to be carried out. Raises ValidationError with everything that is wrong, by field."""
    plan = CheckedPlan(user, draft)
    _refuse(plan, (*_ANSWERS, *_PLACES))
    return plan


def check_choice(environment: Environment, user: User, size: str, parameters: dict[str, str]) -> Plan:
    """The size and the answers alone, for an environment that is there. Raises ValidationError by field."""
    draft = Draft(environment.version, environment.name, environment.cluster, size=size, parameters=parameters)
    plan = Plan(user, draft, environment)
    _refuse(plan, (_size, _parameters))
    return plan


def check_answers(user: User, draft: Draft) -> None:
    """`check` of the answers alone, for trying a version before people may request it."""
    _refuse(Plan(user, draft), _ANSWERS)


def parameter_field(name: str) -> str:
    """The field of a parameter's answer, in forms and in errors. All others are called as in `Draft`."""
    return f"p_{name}"


def max_length(parameter: Parameter) -> int:
    """How many characters an answer may have."""
    return 4000 if parameter.type is Kind.TEXT else 200


def usable_sizes(spec: TemplateSpec, user: User) -> list[Size]:
    """The sizes that are for all teams or for one of the person's teams; all of them for platform admins."""
    if user.is_platform_admin or not any(size.teams for size in spec.sizes):
        return list(spec.sizes)
    teams = {team.name for team in user.teams.all()}
    return [size for size in spec.sizes if not size.teams or teams & set(size.teams)]


def at_limit(user: User, template: Template, *, besides: uuid.UUID | None = None) -> list[Environment]:
    """The live environments that keep a person from one more of a template; none while there is room.

    `besides` is the key of a request that is not counted: the same one, sent again.
    """
    if template.per_person is None:
        return []
    owned = Environment.objects.live().filter(owner=user, version__template=template).order_by("name")
    found = [environment for environment in owned if environment.request_key != besides]
    return found if len(found) >= template.per_person else []


def limit_sentence(template: Template, owned: list[Environment]) -> str:
    """What to say to a person who owns as many as they may."""
    names = ", ".join(environment.name for environment in owned)
    return (
        f"You have {len(owned)} of at most {template.per_person} environments of this template: {names}. "
        "Delete one of them first."
    )


def _refuse(plan: Plan, checks: Iterable[Callable[[Plan], Iterator[Refusal]]]) -> None:
    found = [refusal for one in checks for refusal in one(plan)]
    answers = {"size", *map(parameter_field, plan.parameters)}
    if not any(refusal.field in answers for refusal in found):
        found += _figures(plan)
    _raise(found)


def _raise(found: Iterable[Refusal]) -> None:
    by_field: dict[str, list[ValidationError]] = {}
    for each in found:
        by_field.setdefault(each.field, []).append(ValidationError(each.sentence, code=each.code))
    if by_field:
        raise ValidationError(by_field)


def check_texts(name: str, purpose: str) -> None:
    """Raise ValidationError, by field, for a title or a purpose that no environment may have."""
    _raise([*_name(name), *_text("purpose", purpose, MAX_PURPOSE)])


def one_line(text: str) -> str:
    """A title as it is stored: with single spaces."""
    return re.sub(r"\s+", " ", text).strip()


def _texts(plan: Plan) -> Iterator[Refusal]:
    yield from _name(plan.name)
    yield from _text("purpose", plan.purpose, MAX_PURPOSE)


def _name(name: str) -> Iterator[Refusal]:
    slug = naming.slug(name)
    if not slug:
        yield Refusal("name", "empty", "Use at least one letter or digit, for example checkout.")
    elif naming.is_reserved(slug):
        yield Refusal("name", "reserved", f"“{slug}” is reserved for the cluster. Choose another name.")
    yield from _text("name", name, MAX_NAME)


def _text(name: str, text: str, longest: int) -> Iterator[Refusal]:
    """What no text may be, whatever it is about."""
    if len(text) > longest:
        yield Refusal(name, "max_length", f"Use at most {longest} characters; you entered {len(text)}.")
    if "\x00" in text:
        yield Refusal(name, "null_characters", "Remove the null character.")


def _size(plan: Plan) -> Iterator[Refusal]:
    chosen, sizes = plan.draft.size, plan.spec.sizes
    size = plan.spec.size(chosen)
    if chosen and size is None:
        names = ", ".join(each.name for each in sizes)
        text = f"Choose one of {names}." if names else "This template has no sizes."
        yield Refusal("size", "unknown", text)
    elif sizes and not chosen:
        yield Refusal("size", "required", "Choose a size.")
    elif size and not _is_kept(plan, chosen) and size not in usable_sizes(plan.spec, plan.user):
        teams = " or ".join(size.teams)
        yield Refusal("size", "team", f"This size is only for members of {teams}. Choose another one.")


def _is_kept(plan: Plan, size: str) -> bool:
    """Whether it is the size that the environment has: that one is allowed, whoever asks."""
    return plan.environment is not None and plan.environment.size == size


def _parameters(plan: Plan) -> Iterator[Refusal]:
    for parameter in plan.spec.parameters:
        yield from _parameter(parameter, plan.parameters[parameter.name])
    for name in plan.draft.parameters.keys() - plan.parameters.keys():
        yield Refusal(parameter_field(name), "unknown", f"This template has no parameter “{name[:80]}”.")


def _parameter(parameter: Parameter, value: str) -> Iterator[Refusal]:
    place = parameter_field(parameter.name)
    if not value:
        if parameter.required:
            yield Refusal(place, "required", f"Enter a value for “{parameter.title}”.")
        return
    yield from _text(place, value, max_length(parameter))
    if parameter.type is Kind.BOOLEAN and value not in ("true", "false"):
        yield Refusal(place, "invalid", "Enter true or false.")
    try:
        parameter.check(value)
    except ValueError as error:
        yield Refusal(place, "fixed" if parameter.mode is Mode.FIXED else "invalid", str(error))


def _figures(plan: Plan) -> Iterator[Refusal]:
    """What no cluster takes of these answers together, such as `1.5` pods, or a limit below its request."""
    free = {each.name for each in plan.spec.parameters if each.mode is not Mode.FIXED}
    misfits = plan.spec.misfits(plan.draft.size, plan.parameters)
    for names, sentence in misfits:
        places = [parameter_field(name) for name in names if name in free]
        yield Refusal(next(iter(places), NON_FIELD_ERRORS), "figures", sentence)
    if not misfits:
        yield from (Refusal(NON_FIELD_ERRORS, "objects", sentence) for sentence in _objects(plan))


def _objects(plan: Plan) -> list[str]:
    """What is wrong with the template's objects with these answers."""
    try:
        manifests.own_keys(plan.spec, plan.parameters)
    except ValueError as error:
        return str(error).splitlines()
    return extras.unpermitted(plan.spec, plan.parameters)


def _collaborators(plan: Plan) -> Iterator[Refusal]:
    people, allowed = plan.collaborators, plan.spec.collaborator_roles
    if len(people) > addresses.MAX_ADDRESSES:
        text = f"Add at most {addresses.MAX_ADDRESSES} people at once; you entered {len(people)}."
        yield Refusal("collaborators", "too_many", text)
        return
    for role in dict.fromkeys(people.values()):
        if role not in allowed:
            yield Refusal("collaborator_role", "role", role_sentence(plan.spec))
    malformed = list(addresses.malformed(people))
    yield from (Refusal("collaborators", "invalid", sentence) for sentence in malformed)
    if people and not malformed:
        unknown = addresses.unknown(people, plan.user, plan.directory)
        yield from (Refusal("collaborators", "not_found", sentence) for sentence in unknown)


def role_sentence(spec: TemplateSpec) -> str:
    """Which roles collaborators may have."""
    words = " or ".join(role.value for role in spec.collaborator_roles)
    return f"Choose the role {words}." if words else "This template allows no collaborators."


def _team(plan: Plan) -> Iterator[Refusal]:
    team = plan.draft.team
    if team is None and plan.teams:
        yield Refusal("team", "required", "Choose one of your teams.")
    elif team is not None and team not in plan.teams:
        yield Refusal("team", "not_yours", f"You are not a member of {team}. Choose one of your teams.")


def _cluster(plan: Plan) -> Iterator[Refusal]:
    chosen, template = plan.draft.cluster, plan.template
    if chosen is None:
        if plan.cluster is None:
            text = "No cluster accepts new environments of this template at the moment. Ask a platform admin."
            yield Refusal("cluster", "none", text)
    elif template.placement != Placement.CHOICE:
        text = f"{template} chooses the cluster automatically. Leave the cluster empty."
        yield Refusal("cluster", "no_choice", text)
    elif not placement.candidates(template).filter(pk=chosen.pk).exists():
        yield _why_not(chosen)
    if plan.cluster and _lacks_hosts(plan.cluster, plan.spec):
        text = f"This template needs host names, and {plan.cluster} has no pattern for them. Ask a platform admin."
        yield Refusal("cluster", "hosts", text)


def _lacks_hosts(cluster: Cluster, spec: TemplateSpec) -> bool:
    return not cluster.host_patterns and not spec.admission.host_names and extras.uses_hosts(spec)


def _why_not(chosen: Cluster) -> Refusal:
    row = Cluster.objects.filter(pk=chosen.pk).first()
    if row is None or row.lost_at:
        return Refusal("cluster", "lost", f"{chosen} no longer exists. Choose another cluster.")
    if not row.accepts_new:
        text = f"{chosen} accepts no new environments at the moment. Choose another cluster."
        return Refusal("cluster", "closed", text)
    return Refusal("cluster", "not_offered", f"This template cannot be used on {chosen}. Choose another cluster.")


def _template(plan: Plan) -> Iterator[Refusal]:
    usable = Template.objects.usable_by(plan.user).filter(pk=plan.version.template_id).order_by()
    published = TemplateVersion.objects.filter(pk=plan.version.pk, state=TemplateVersion.State.PUBLISHED)
    if not published.filter(template__in=usable.values("pk")).exists():
        yield Refusal("version", "outdated", OUTDATED)


def _limit(plan: Plan) -> Iterator[Refusal]:
    if owned := at_limit(plan.user, plan.template, besides=plan.draft.key):
        yield Refusal(NON_FIELD_ERRORS, "limit", limit_sentence(plan.template, owned))


def _directory(plan: Plan) -> Iterator[Refusal]:
    if plan.directory is None:
        text = "No directory is set up yet. A platform admin has to add one."
        yield Refusal(NON_FIELD_ERRORS, "no_directory", text)


_ANSWERS = (_texts, _size, _parameters, _collaborators)
_PLACES = (_team, _cluster, _template, _limit, _directory)
