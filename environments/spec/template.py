"""A template version's whole content."""

import json
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from environments.lib import quantities
from environments.lib.phases import Role
from environments.spec import container_defaults, extras
from environments.spec.api_names import is_overcommitted, limit_name_problem, quota_name_problem
from environments.spec.base import (
    PLACEHOLDER,
    Annotations,
    Figures,
    InvalidSpecError,
    LaterSwitch,
    Place,
    Problem,
    Strict,
    complaint,
    problem_of,
    refuse,
    substitute,
    twice_named,
)
from environments.spec.figures import (
    annotation_key_problem,
    check_amount,
    check_readable,
    key_problem,
    label_key_problem,
)
from environments.spec.network import Network
from environments.spec.parameters import Parameter, sample, unfit
from environments.spec.parts import Admission, Extension, Limits, Naming, PodSecurity, Size


class TemplateSpec(Strict):
    """A template version's whole content."""

    parameters: tuple[Parameter, ...] = ()
    """The request form's own questions, in their order."""
    sizes: tuple[Size, ...] = ()
    """Named presets to choose from, in their order. Empty: the quota alone."""
    quota: Figures = Field(default_factory=dict)
    """Figures by resource, for all pods together; sizes go over them."""
    limits: Limits = Limits()
    """What containers get that say nothing, and the most they may have."""
    network: Network = Network()
    """What is let through beside deny-all."""
    pod_security: PodSecurity = PodSecurity()
    """Pod Security admission levels of the namespace."""
    admission: Annotated[Admission, Field(exclude_if=Admission().__eq__)] = Admission()  # came later, as LaterSwitch
    """What pods and Services may have that no quota counts."""
    owner_role: Role = Role.ADMIN
    """What the owner may do in the namespace."""
    collaborator_roles: tuple[Role, ...] = (Role.DEVELOPER, Role.VIEWER)
    """The roles that collaborators may be given, the usual one first."""
    lifetime_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Days from the request to the end. Empty: no end."""
    extension: Extension = Extension()
    """How far the owner may put the end off."""
    approval: LaterSwitch = False
    """Whether a manager of the team has to approve every request. A size can ask for that by itself."""
    naming: Naming = Naming()
    """How namespace and groups are called."""
    labels: Annotations = Field(default_factory=dict)
    """Labels of the namespace."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the namespace."""
    automount_token: bool = True
    """Whether pods get the default ServiceAccount's token without asking."""
    manifests: Annotated[str, Field(max_length=100_000)] = ""  # checked by extras.py
    """More objects, as YAML documents of the kinds that the portal allows."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        twice = twice_named("parameters", "parameter", [parameter.name for parameter in self.parameters])
        twice += twice_named("sizes", "size", [size.name for size in self.sizes])
        if len(set(self.collaborator_roles)) < len(self.collaborator_roles):
            twice.append((("collaborator_roles",), "A role appears twice."))
        if self.lifetime_days and (self.extension.maximum_days or self.lifetime_days) < self.lifetime_days:
            twice.append((("extension", "maximum_days"), "This is less than the initial lifetime."))
        refuse("TemplateSpec", twice or self._quotas() + self._limits() + self._metadata())
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
            found |= self._amount(place, amount, check_readable)
        return list(found.items())

    def _figures(self) -> Iterator[tuple[Place, str]]:
        yield from ((("quota", resource), amount) for resource, amount in self.quota.items())
        for index, size in enumerate(self.sizes):
            yield from ((("sizes", index, "quota", resource), amount) for resource, amount in size.quota.items())

    def _limits(self) -> list[Problem]:
        """What is wrong with the container defaults."""
        found: dict[Place, str] = {}
        for place, amount in self._limit_figures():
            found |= self._amount(place, amount, check_readable)
        return list(found.items())

    def _limit_figures(self) -> Iterator[tuple[Place, str]]:
        for group, figures in self.limits.groups():
            yield from ((("limits", group, resource), amount) for resource, amount in figures.items())

    def _metadata(self) -> list[Problem]:
        """What is wrong with labels and annotations, tried with sample values."""
        found: list[Problem] = []
        for field, texts in (("labels", self.labels), ("annotations", self.annotations)):
            for key, text in texts.items():
                sentence = key_problem(key) or complaint(lambda text: substitute(text, self._samples()), text)
                if sentence:
                    found.append(((field, key), sentence))
        return found

    def objections(self) -> list[Problem]:
        """What makes sense in itself, but leads to what no cluster accepts. Nothing is published with these."""
        figures = [*self._figures(), *self._limit_figures()]
        found = self._unfit(figures) or self._refused(figures)
        found = found or [(place, sentence) for place, _, sentence in self._disorder(self._samples())]
        more = [(("manifests", line), text) for line, text in extras.problems(self.manifests, self)]
        missing = container_defaults.problems(self._figures(), self.limits)
        missing += [] if found else self._unusable()
        return [*self._strange_names(), *found, *missing, *self.network.objections(), *more]

    def _unfit(self, figures: list[tuple[Place, str]]) -> list[Problem]:
        """Figures that hang on a parameter that may be anything."""
        used = [(place, name) for place, amount in figures for name in PLACEHOLDER.findall(amount)]
        asked = ((place, self._parameter(name)) for place, name in used)
        return [(place, sentence) for place, one in asked if one and (sentence := unfit(one))]

    def _refused(self, figures: list[tuple[Place, str]]) -> list[Problem]:
        """Figures that the API server would refuse or round."""
        return [wrong for place, amount in figures for wrong in self._amount(place, amount, check_amount).items()]

    def misfits(self, size_name: str, values: dict[str, str]) -> list[tuple[list[str], str]]:
        """What no cluster would take of these answers: the parameters that it hangs on, and the sentence."""
        size = self.size(size_name)
        figures = [*(self.quota | (size.quota if size else {})).items()]
        figures += [(str(place[-1]), amount) for place, amount in self._limit_figures()]
        found = []
        for resource, text in figures:
            names = PLACEHOLDER.findall(text)
            trial = partial(check_amount, resource)
            if names and (sentence := complaint(trial, substitute(text, values))):
                found.append((names, f"{quantities.name(resource)}: {sentence}"))
        return found or [(names, sentence) for _, names, sentence in self._disorder(values) if names]

    def _disorder(self, values: dict[str, str]) -> Iterator[tuple[Place, list[str], str]]:
        """Kubernetes wants default request ≤ default ≤ maximum: the place, the parameters in it, the sentence."""
        groups = dict(self.limits.groups())
        for low, high in (("default_request", "default"), ("default_request", "maximum"), ("default", "maximum")):
            for resource in groups[low].keys() & groups[high].keys():
                texts = groups[low][resource], groups[high][resource]
                if quantities.exceeds(*(substitute(text, values) for text in texts)):
                    sentence = f"The {low.replace('_', ' ')} is above the {high}."
                    yield ("limits", low, resource), PLACEHOLDER.findall(" ".join(texts)), sentence
        for resource in groups["default_request"].keys() & groups["default"].keys():
            request, limit = (groups[name][resource] for name in ("default_request", "default"))
            if not is_overcommitted(resource) and quantities.exceeds(
                substitute(limit, values), substitute(request, values)
            ):
                sentence = "For devices and huge pages, the default request must equal the default."
                yield ("limits", "default_request", resource), PLACEHOLDER.findall(request + limit), sentence

    def _unusable(self) -> list[Problem]:
        """Requests that the quota of a size, or of the template without sizes, allows and its limits do not."""
        base: list[tuple[Place, str]] = [(("quota", name), amount) for name, amount in self.quota.items()]
        found: dict[Place, str] = {}
        for index, size in enumerate(self.sizes):
            own = ((("sizes", index, "quota", name), amount) for name, amount in size.quota.items())
            found = dict(container_defaults.unusable([*base, *own])) | found
        return list((found or dict(container_defaults.unusable(base))).items())

    def _strange_names(self) -> Iterator[Problem]:
        for field, keys, takes in (
            ("labels", self.labels, label_key_problem),
            ("annotations", self.annotations, annotation_key_problem),
        ):
            yield from (((field, key), sentence) for key in keys if (sentence := takes(key)))
        for figures, check in ((self._figures(), quota_name_problem), (self._limit_figures(), limit_name_problem)):
            for place, _ in figures:
                if sentence := check(str(place[-1])):
                    yield place, sentence

    def _amount(self, place: Place, text: str, check: Callable[[str, str], None]) -> dict[Place, str]:
        """What is wrong with one figure, tried with every value that its parameters list."""
        used = [self._parameter(name) for name in PLACEHOLDER.findall(text)]
        trials = [self._samples()]
        trials += [trials[0] | {one.name: choice} for one in used if one for choice in one.choices]
        trial = partial(check, str(place[-1]))
        sentences = (complaint(lambda values: trial(substitute(text, values)), values) for values in trials)
        sentence = next(filter(None, sentences), "")
        return {place: sentence} if sentence else {}

    def _parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def _samples(self) -> dict[str, str]:
        return {parameter.name: sample(parameter) for parameter in self.parameters}

    def size(self, name: str) -> Size | None:
        """The size of that name, None where the template has no such size."""
        return next((size for size in self.sizes if size.name == name), None)

    def needs_approval(self, size_name: str = "") -> bool:
        """Whether an approver has to decide on a request for a size (empty: for the template without one)."""
        size = self.size(size_name)
        return self.approval or bool(size and size.approval)

    def approval_sizes(self) -> tuple[Size, ...]:
        """The sizes that need approval by themselves; none where every request does."""
        return () if self.approval else tuple(size for size in self.sizes if size.approval)


def parse(data: Any) -> TemplateSpec:
    """A spec from plain data (JSON or YAML). Raises InvalidSpecError, a ValueError with a sentence a line."""
    try:
        return TemplateSpec.model_validate(data)
    except ValidationError as error:
        raise InvalidSpecError([problem_of(item) for item in error.errors()]) from error


def parse_stored(data: Any) -> TemplateSpec:
    """`parse` for what the database holds: the same few contents again and again, so they are remembered.

    By what they say, not by whose they are: nothing can be out of date, and an environment shares its version's.
    Reading one takes some 0.13 ms, finding it again 0.02 ms; a catalog page needs all of them.
    """
    return parse_text(json.dumps(data))


@lru_cache(maxsize=1024)
def parse_text(text: str) -> TemplateSpec:
    """`parse_stored` for JSON that was not read yet."""
    return parse(json.loads(text))


def dump(spec: TemplateSpec) -> dict[str, Any]:
    """A spec as plain data, ready for JSON; `parse` reads it back."""
    return spec.model_dump(mode="json")


def render_quota(spec: TemplateSpec, size_name: str, values: dict[str, str]) -> dict[str, str]:
    """The ResourceQuota's `hard` for a size (empty: the template's own) and parameter values."""
    size = spec.size(size_name)
    merged = spec.quota | (size.quota if size else {})
    return {resource: substitute(amount, values) for resource, amount in merged.items()}
