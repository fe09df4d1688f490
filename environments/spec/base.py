"""What all parts of a template's description share: strictness, places, and what is wrong where."""

import re
from collections.abc import Callable
from operator import not_
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_RESOURCE = r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$"
_WORDS = {
    _NAME: "Use up to 40 lower-case letters, digits and underscores, starting with a letter, for example gpu_small.",
    _RESOURCE: "This is not a resource name. Use for example requests.cpu or count/deployments.apps.",
}
#: Written in capitals where a name is put into words.
_ABBREVIATIONS = re.compile(r"\b(ai|api|ci|cpu|db|dns|gpu|hpc|http|id|io|ip|ml|ram|sql|ssd|tls|url|vm|xl|xs|xxl)\b")

Name = Annotated[str, Field(pattern=_NAME)]
#: `requests.cpu`, `pods`, `requests.nvidia.com/gpu`, `count/deployments.apps`
ResourceName = Annotated[str, Field(pattern=_RESOURCE, max_length=317)]

#: Amounts by resource, as quantities that may hold `${parameter}`.
Figures = dict[ResourceName, str]

#: Labels or annotations; values may hold `${parameter}`.
Annotations = dict[str, str]

#: A switch that came later: left out where it is off, so that a portal of the version before, without the key,
#: can read what is stored during a rollout.
LaterSwitch = Annotated[bool, Field(exclude_if=not_)]

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

    # The texts below fields become descriptions in the JSON Schema of template files.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, use_attribute_docstrings=True)


def substitute(text: str, values: dict[str, str]) -> str:
    """`${name}` replaced by its value, once: a value that itself holds `${…}` stays as it is.

    Raises ValueError for a name without a value.
    """
    if "${" not in text:
        return text  # most figures, in every quota of a large cluster

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"${{{match[1]}}} is not a parameter of this template.")
        return values[match[1]]

    return PLACEHOLDER.sub(value, text)


def in_words(name: str) -> str:
    """A name as people read it: `medium_with_gpu` is “Medium with GPU”."""
    text = _ABBREVIATIONS.sub(lambda word: word[0].upper(), name.replace("_", " "))
    return text[:1].upper() + text[1:]


def complaint[Value](check: Callable[[Value], object], value: Value) -> str:
    """What a check says against a value, empty where it says nothing."""
    try:
        check(value)
    except ValueError as error:
        return str(error)
    return ""


def twice_named(field: str, what: str, names: list[str]) -> list[Problem]:
    """The second and later places of a name."""
    again = [index for index, name in enumerate(names) if name in names[:index]]
    return [((field, index, "name"), f"The {what} {names[index]} appears twice.") for index in again]


def refuse(title: str, problems: list[Problem]) -> None:
    """Raise pydantic's own error with each sentence at its place; nothing where there are no problems."""
    if problems:
        details = [
            InitErrorDetails(type=PydanticCustomError("sentence", "{text}", {"text": text}), loc=place, input=None)
            for place, text in problems
        ]
        raise ValidationError.from_exception_data(title, details)


def problem_of(item: Any) -> Problem:
    """One of pydantic's errors, in our words."""
    message = str(item["msg"]).removeprefix("Value error, ")
    return item["loc"], _WORDS.get((item.get("ctx") or {}).get("pattern", ""), message)


def _line(problem: Problem) -> str:
    place = ".".join(str(part) for part in problem[0])
    return f"{place}: {problem[1]}" if place else problem[1]
