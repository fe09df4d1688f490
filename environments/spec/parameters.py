"""A template's questions, and which answers they take."""

import re
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from environments.lib import quantities
from environments.spec.base import Name, Problem, Strict, complaint, in_words, refuse


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
    """What ${name} stands for in figures, labels, annotations and manifests."""
    label: str = ""
    """The question's title. Empty: made from the name."""
    help: str = ""
    """A line below the field."""
    type: Kind = Kind.STRING
    """What a value is; it decides the widget and how values compare."""
    mode: Mode = Mode.FREE
    """Who may change it: free, restricted to the choices, or fixed to the default."""
    required: bool = False
    """Whether it must be answered."""
    default: str = ""
    """The value to begin with, in quotes where it is a number."""
    choices: tuple[str, ...] = ()
    """The values it may take."""
    pattern: str = ""
    """A regular expression that the whole value matches."""
    minimum: str = ""
    """The least that a whole number or a quantity may be."""
    maximum: str = ""
    """The most that a whole number or a quantity may be."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        refuse("Parameter", self._bounds() or self._list() or self._preset())
        return self

    @property
    def title(self) -> str:
        """What people call it."""
        return self.label or in_words(self.name)

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
            found.append((("pattern",), f"This is not a regular expression: {error}."))
        for field, text in (("minimum", self.minimum), ("maximum", self.maximum)):
            if text and not self.is_number:
                found.append(((field,), "Only whole numbers and quantities have a range."))
            elif text and (sentence := complaint(quantities.parse, text)):
                found.append(((field,), sentence))
        if not found and self.minimum and self.maximum and quantities.exceeds(self.minimum, self.maximum):
            found.append((("maximum",), "This is less than the minimum."))
        return found

    def _list(self) -> list[Problem]:
        """What is wrong with the choices."""
        if not self.choices and (self.mode is Mode.RESTRICTED or self.type is Kind.CHOICE):
            kind = "restricted" if self.mode is Mode.RESTRICTED else "choice"
            return [(("choices",), f"A {kind} parameter needs the list of values it may take.")]
        sentences = [complaint(self._fits, choice) for choice in self.choices]
        return [(("choices",), sentence) for sentence in sentences if sentence]

    def _preset(self) -> list[Problem]:
        """What is wrong with the default."""
        if self.mode is Mode.FIXED and not self.default:
            return [(("default",), "A fixed parameter needs a default, which is its value.")]
        if self.type is Kind.BOOLEAN and self.default not in ("", "true", "false"):
            return [(("default",), "Write true or false.")]
        sentence = complaint(self.check, self.default) if self.default else ""
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
            raise ValueError(f"“{value}” can't be used. {self._wanted()}".rstrip())
        if self.is_number:
            self._check_range(value)

    def _wanted(self) -> str:
        """What a value looks like, in the words of the template's author, or by an example."""
        examples = [text for text in (self.default, *self.choices) if text and re.fullmatch(self.pattern, text)]
        return self.help or (f"For example: {examples[0]}" if examples else "Ask a platform admin which values can.")

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


def sample(parameter: Parameter) -> str:
    """A value to try the template with before anybody filled it in."""
    fallback = "1" if parameter.type in (Kind.INTEGER, Kind.QUANTITY) else parameter.name
    return parameter.default or next(iter(parameter.choices), parameter.minimum or fallback)


def unfit(parameter: Parameter) -> str:
    """Why a figure cannot hang on this parameter, empty where it can."""
    if not (parameter.required or parameter.default):
        return f"${{{parameter.name}}} can be empty. Make it required, or give it a default."
    if not (parameter.is_number or parameter.choices or parameter.mode is Mode.FIXED):
        return f"${{{parameter.name}}} can be any text. Make it a quantity, a whole number or a list."
    return ""
