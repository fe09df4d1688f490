"""What a template says, as data: parameters, sizes, limits, isolation, roles, lifetime.

`TemplateSpec` is the one description of a template version. The database stores it as JSON, the seeds and
imports write it as YAML, the request form and the manifests are built from it.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from environments import quantities
from environments.phases import Role

_PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
#: `requests.cpu`, `pods`, `requests.nvidia.com/gpu`, `count/deployments.apps`
ResourceName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9./-]*[a-z0-9])?$", max_length=253)]


class Strict(BaseModel):
    """Unknown keys are errors, so that a typing mistake is found; values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        if self.mode is Mode.RESTRICTED and not self.choices:
            raise ValueError("A restricted parameter needs the list of values it may take.")
        if self.mode is Mode.FIXED and not self.default:
            raise ValueError("A fixed parameter needs its value as the default.")
        if self.default:
            self.check(self.default)
        return self

    def check(self, value: str) -> None:
        """Raise ValueError, with a sentence, unless this parameter may have the value."""
        if self.mode is Mode.FIXED and value != self.default:
            raise ValueError(f"This is fixed to {self.default} by the template.")
        if self.choices and not any(self._equal(value, choice) for choice in self.choices):
            raise ValueError(f"Choose one of {', '.join(self.choices)}.")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(f"“{value}” does not match the pattern {self.pattern}.")
        if self.type in (Kind.INTEGER, Kind.QUANTITY):
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
        _unique("parameter", [parameter.name for parameter in self.parameters])
        _unique("size", [size.name for size in self.sizes])
        if not self.quota and not self.sizes:
            raise ValueError("A template needs a quota, or sizes that have one.")
        values = {parameter.name: _sample(parameter) for parameter in self.parameters}
        for size in self.sizes or (None,):
            quota = render_quota(self, size.name if size else "", values)
            for resource, amount in quota.items():
                _amount(f"Quota {resource}", amount)
        return self

    def size(self, name: str) -> Size | None:
        """The size of that name, None where the template has no such size."""
        return next((size for size in self.sizes if size.name == name), None)


def parse(data: Any) -> TemplateSpec:
    """A spec from plain data (JSON or YAML). Raises ValueError with one sentence a line, each with its place."""
    try:
        return TemplateSpec.model_validate(data)
    except ValidationError as error:
        raise ValueError("\n".join(_sentence(item) for item in error.errors())) from error


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


def _amount(what: str, text: str) -> Decimal:
    try:
        amount = quantities.parse(text)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    if amount < 0:
        raise ValueError(f"{what}: must not be negative.")
    return amount


def _unique(what: str, names: list[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"The {what} {', '.join(sorted(twice))} is there twice.")


def _sentence(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
