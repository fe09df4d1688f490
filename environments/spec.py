"""What a template says, as data: parameters, sizes, limits, isolation, roles, lifetime.

`TemplateSpec` is the one description of a template version. The database stores it as JSON, the seeds and
imports write it as YAML, the request form and the manifests are built from it.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from environments import quantities
from environments.phases import Role

_PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_RESOURCE = r"^[a-z0-9]([a-z0-9./-]*[a-z0-9])?$"
_WORDS = {
    _NAME: "Use lower-case letters, digits and _, at most 40, with a letter first.",
    _RESOURCE: "This is no resource name such as requests.cpu, requests.nvidia.com/gpu or count/deployments.apps.",
}

Name = Annotated[str, Field(pattern=_NAME)]
#: `requests.cpu`, `pods`, `requests.nvidia.com/gpu`, `count/deployments.apps`
ResourceName = Annotated[str, Field(pattern=_RESOURCE, max_length=253)]

Place = tuple[str | int, ...]
#: Where something is wrong, and the sentence about it.
Problem = tuple[Place, str]


class InvalidSpecError(ValueError):
    """A description that makes no sense, as one sentence a line; `problems` has them with their places."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(_line(problem) for problem in problems))
        self.problems = problems


class Strict(BaseModel):
    """Unknown keys are errors, so that a typing mistake is found; values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Kind(StrEnum):
    """A parameter's type."""

    STRING = "string"
    INTEGER = "integer"
    QUANTITY = "quantity"
    CHOICE = "choice"
    BOOLEAN = "boolean"
    TEXT = "text"


class Mode(StrEnum):
    """Who may change a parameter's value."""

    FREE = "free"
    RESTRICTED = "restricted"  # to one of `choices`
    FIXED = "fixed"  # the default, always


class Parameter(Strict):
    """One question of the request form."""

    name: Name
    label: str = ""
    help: str = ""
    type: Kind = Kind.STRING
    mode: Mode = Mode.FREE
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: str = ""
    maximum: str = ""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        _refuse("Parameter", self._bounds() or self._list() or self._preset())
        return self

    @property
    def is_number(self) -> bool:
        """Whether values are compared as numbers."""
        return self.type in (Kind.INTEGER, Kind.QUANTITY)

    def _bounds(self) -> list[Problem]:
        """What is wrong with the pattern and the range."""
        found: list[Problem] = []
        try:
            re.compile(self.pattern)
        except re.error as error:
            found.append((("pattern",), f"This is no regular expression: {error}."))
        for field, text in (("minimum", self.minimum), ("maximum", self.maximum)):
            if text and not self.is_number:
                found.append(((field,), "Only whole numbers and quantities have a range."))
            elif text and (sentence := _complaint(quantities.parse, text)):
                found.append(((field,), sentence))
        if not found and self.minimum and self.maximum and _above(self.minimum, self.maximum):
            found.append((("maximum",), "This is less than the minimum."))
        return found

    def _list(self) -> list[Problem]:
        """What is wrong with the choices."""
        if not self.choices and (self.mode is Mode.RESTRICTED or self.type is Kind.CHOICE):
            kind = "restricted" if self.mode is Mode.RESTRICTED else "choice"
            return [(("choices",), f"A {kind} parameter needs the list of values it may take.")]
        sentences = [_complaint(self._fits, choice) for choice in self.choices]
        return [(("choices",), sentence) for sentence in sentences if sentence]

    def _preset(self) -> list[Problem]:
        """What is wrong with the default."""
        if self.mode is Mode.FIXED and not self.default:
            return [(("default",), "A fixed parameter needs its value as the default.")]
        if self.type is Kind.BOOLEAN and self.default not in ("", "true", "false"):
            return [(("default",), "Write true or false.")]
        sentence = _complaint(self.check, self.default) if self.default else ""
        return [(("default",), sentence)] if sentence else []

    def check(self, value: str) -> None:
        """Raise ValueError, with a sentence, unless this parameter may have the value."""
        if self.mode is Mode.FIXED and value != self.default:
            raise ValueError(f"This is fixed to {self.default} by the template.")
        if self.choices and not any(self._equal(value, choice) for choice in self.choices):
            raise ValueError(f"Choose one of {', '.join(self.choices)}.")
        self._fits(value)

    def _fits(self, value: str) -> None:
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(f"“{value}” does not match the pattern {self.pattern}.")
        if self.is_number:
            self._check_range(value)

    def _equal(self, value: str, choice: str) -> bool:
        if self.type is not Kind.QUANTITY:
            return value == choice
        return quantities.parse(value) == quantities.parse(choice)

    def _check_range(self, value: str) -> None:
        if self.type is Kind.INTEGER and not re.fullmatch(r"-?\d{1,18}", value):
            raise ValueError(f"“{value}” is not a whole number.")
        number = quantities.parse(value)
        if self.minimum and number < quantities.parse(self.minimum):
            raise ValueError(f"At least {self.minimum}.")
        if self.maximum and number > quantities.parse(self.maximum):
            raise ValueError(f"At most {self.maximum}.")


class Size(Strict):
    """A named preset: what `quota` says for it goes over the template's own quota."""

    name: Name
    label: str = ""
    quota: dict[ResourceName, str] = {}


class Limits(Strict):
    """The LimitRange's container defaults, so that pods without resources start under a quota."""

    default: dict[ResourceName, str] = {}
    default_request: dict[ResourceName, str] = {}
    maximum: dict[ResourceName, str] = {}

    def groups(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """The three kinds of figures with their names."""
        return ("default_request", self.default_request), ("default", self.default), ("maximum", self.maximum)


class Network(Strict):
    """Deny-all, and what is let through beside it."""

    dns: bool = True
    same_namespace: bool = False


class PodSecurity(Strict):
    """Pod Security admission levels. https://kubernetes.io/docs/concepts/security/pod-security-standards/"""

    enforce: str = "baseline"
    audit: str = "restricted"
    warn: str = "restricted"

    @field_validator("enforce", "audit", "warn")
    @classmethod
    def _level(cls, value: str) -> str:
        if value not in ("privileged", "baseline", "restricted"):
            raise ValueError("Choose privileged, baseline or restricted.")
        return value


class TemplateSpec(Strict):
    """A template version's whole content."""

    parameters: tuple[Parameter, ...] = ()
    sizes: tuple[Size, ...] = ()
    quota: dict[ResourceName, str] = {}
    limits: Limits = Limits()
    network: Network = Network()
    pod_security: PodSecurity = PodSecurity()
    owner_role: Role = Role.ADMIN
    collaborator_roles: tuple[Role, ...] = (Role.DEVELOPER, Role.VIEWER)
    lifetime_days: Annotated[int, Field(ge=1, le=3650)] | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        twice = _twice("parameters", "parameter", [parameter.name for parameter in self.parameters])
        twice += _twice("sizes", "size", [size.name for size in self.sizes])
        if len(set(self.collaborator_roles)) < len(self.collaborator_roles):
            twice.append((("collaborator_roles",), "A role is there twice."))
        _refuse("TemplateSpec", twice or self._quotas() + self._limits())
        return self

    def _quotas(self) -> list[Problem]:
        """What is wrong with the figures, each at the place where it is written."""
        if not self.quota and not self.sizes:
            return [(("quota",), "A template needs a quota, or sizes that have one.")]
        found: dict[Place, str] = {
            ("sizes", index): f"The size {size.name} has no quota."
            for index, size in enumerate(self.sizes)
            if not size.quota and not self.quota
        }
        for place, amount in self._figures():
            found |= self._amount(place, amount)
        return list(found.items())

    def _figures(self) -> Iterator[tuple[Place, str]]:
        yield from ((("quota", resource), amount) for resource, amount in self.quota.items())
        for index, size in enumerate(self.sizes):
            yield from ((("sizes", index, "quota", resource), amount) for resource, amount in size.quota.items())

    def _limits(self) -> list[Problem]:
        """What is wrong with the container defaults."""
        found: dict[Place, str] = {}
        for group, figures in self.limits.groups():
            for resource, amount in figures.items():
                found |= self._amount(("limits", group, resource), amount)
        return list(found.items())

    def objections(self) -> list[Problem]:
        """What makes sense in itself, but leads to what no cluster accepts. Nothing is published with these."""
        used = [(place, name) for place, amount in self._figures() for name in _PLACEHOLDER.findall(amount)]
        asked = ((place, self._parameter(name)) for place, name in used)
        unfit = [(place, sentence) for place, one in asked if one and (sentence := _unfit(one))]
        return unfit or list(self._disorder())

    def _disorder(self) -> Iterator[Problem]:
        """Kubernetes wants default request ≤ default ≤ maximum."""
        groups, values = dict(self.limits.groups()), self._samples()
        for low, high in (("default_request", "default"), ("default_request", "maximum"), ("default", "maximum")):
            for resource in groups[low].keys() & groups[high].keys():
                if _above(substitute(groups[low][resource], values), substitute(groups[high][resource], values)):
                    yield ("limits", low, resource), f"The {low.replace('_', ' ')} is above the {high}."

    def _amount(self, place: Place, text: str) -> dict[Place, str]:
        """What is wrong with one figure, tried with every value that its parameters list."""
        used = [self._parameter(name) for name in _PLACEHOLDER.findall(text)]
        trials = [self._samples()]
        trials += [trials[0] | {one.name: choice} for one in used if one for choice in one.choices]
        sentences = (_complaint(lambda values: _positive(substitute(text, values)), values) for values in trials)
        sentence = next(filter(None, sentences), "")
        return {place: sentence} if sentence else {}

    def _parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def _samples(self) -> dict[str, str]:
        return {parameter.name: _sample(parameter) for parameter in self.parameters}

    def size(self, name: str) -> Size | None:
        """The size of that name, None where the template has no such size."""
        return next((size for size in self.sizes if size.name == name), None)


def parse(data: Any) -> TemplateSpec:
    """A spec from plain data (JSON or YAML). Raises InvalidSpecError, a ValueError with a sentence a line."""
    try:
        return TemplateSpec.model_validate(data)
    except ValidationError as error:
        raise InvalidSpecError([_problem(item) for item in error.errors()]) from error


def dump(spec: TemplateSpec) -> dict[str, Any]:
    """A spec as plain data, ready for JSON; `parse` reads it back."""
    return spec.model_dump(mode="json")


def substitute(text: str, values: dict[str, str]) -> str:
    """`${name}` replaced by its value, once: a value that itself holds `${…}` stays as it is.

    Raises ValueError for a name without a value.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"${{{match[1]}}} is not a parameter of this template.")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, text)


def render_quota(spec: TemplateSpec, size_name: str, values: dict[str, str]) -> dict[str, str]:
    """The ResourceQuota's `hard` for a size (empty: the template's own) and parameter values."""
    size = spec.size(size_name)
    merged = spec.quota | (size.quota if size else {})
    return {resource: substitute(amount, values) for resource, amount in merged.items()}


def _sample(parameter: Parameter) -> str:
    """A value to try the template with before anybody filled it in."""
    fallback = "1" if parameter.type in (Kind.INTEGER, Kind.QUANTITY) else parameter.name
    return parameter.default or next(iter(parameter.choices), parameter.minimum or fallback)


def _unfit(parameter: Parameter) -> str:
    """Why a figure cannot hang on this parameter, empty where it can."""
    if not (parameter.required or parameter.default):
        return f"${{{parameter.name}}} may be left empty: make it required, or give it a default."
    if not (parameter.is_number or parameter.choices or parameter.mode is Mode.FIXED):
        return f"${{{parameter.name}}} may be any text: make it a quantity, a whole number or a list."
    return ""


def _positive(text: str) -> None:
    if quantities.parse(text) < 0:
        raise ValueError("This must not be negative.")


def _above(low: str, high: str) -> bool:
    return quantities.parse(low) > quantities.parse(high)


def _complaint[Value](check: Callable[[Value], object], value: Value) -> str:
    """What a check says against a value, empty where it says nothing."""
    try:
        check(value)
    except ValueError as error:
        return str(error)
    return ""


def _twice(field: str, what: str, names: list[str]) -> list[Problem]:
    """The second and later places of a name."""
    again = [index for index, name in enumerate(names) if name in names[:index]]
    return [((field, index, "name"), f"The {what} {names[index]} is there twice.") for index in again]


def _refuse(title: str, problems: list[Problem]) -> None:
    """Raise pydantic's own error with each sentence at its place; nothing where there are no problems."""
    if problems:
        details = [
            InitErrorDetails(type=PydanticCustomError("sentence", "{text}", {"text": text}), loc=place, input=None)
            for place, text in problems
        ]
        raise ValidationError.from_exception_data(title, details)


def _problem(item: Any) -> Problem:
    message = str(item["msg"]).removeprefix("Value error, ")
    return item["loc"], _WORDS.get((item.get("ctx") or {}).get("pattern", ""), message)


def _line(problem: Problem) -> str:
    place = ".".join(str(part) for part in problem[0])
    return f"{place}: {problem[1]}" if place else problem[1]
