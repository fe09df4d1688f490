"""A template's extra manifests with the parameters filled in: values go into texts, after the YAML was read.

So a value cannot become YAML: no key, no list, no document comes out of it, and what it holds is not read again.

`${port}` without quotes is a number where the parameter is a whole number, and true or false where it is a boolean;
`"${port}"` in quotes stays a text. It is as with 8080 and "8080".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from environments.spec.base import PLACEHOLDER, substitute
from environments.spec.parameters import Kind, Parameter
from environments.spec.yaml_documents import Document, Path

#: A place in a document, and what is wrong there.
Remark = tuple[Path, str]

#: Who may do what has to be read off the template: it must not depend on a parameter's value.
_RIGHTS = frozenset({"Role", "RoleBinding"})


@dataclass(frozen=True)
class Filled:
    """A document with values in the place of its parameters."""

    number: int  # from 1
    document: Document
    data: Any

    @property
    def title(self) -> str:
        """What to call it: as the template has it, whatever the values are."""
        kind, name = _text(self.document.data, "kind"), _text(self.document.data, "metadata", "name")
        return f"{kind} {name}" if kind and name else f"document {self.number}"

    @property
    def kind(self) -> str:
        """Its kind, empty where it says none."""
        return _text(self.data, "kind")

    @property
    def name(self) -> str:
        """Its name, empty where it says none."""
        return _text(self.data, "metadata", "name")

    def sentence(self, remark: Remark) -> tuple[int, str]:
        """A remark with its line, as a person needs it."""
        path, text = remark
        line = self.document.line(path)
        return line, f"Line {line}, {self.title}: {text}"


def fill(
    number: int, document: Document, parameters: Mapping[str, Parameter], values: Mapping[str, str]
) -> tuple[Filled, list[Remark]]:
    """A document with its values, and what could not be filled in."""
    filling = _Filling(document, parameters, values, [])
    return Filled(number, document, filling.value(document.data, ())), filling.remarks


def placeholders(value: Any) -> Iterator[str]:
    """The names of the parameters in a document, or a part of it."""
    for _, text in _texts(value, ()):
        yield from PLACEHOLDER.findall(text)


def unknown(document: Document, names: set[str]) -> Iterator[Remark]:
    """Parameters that the template does not have."""
    for path, text in _texts(document.data, ()):
        for name in PLACEHOLDER.findall(text):
            if name not in names:
                yield path, f"${{{name}}} is not a parameter of this template."


def misplaced(document: Document) -> Iterator[Remark]:
    """Parameters where none may be."""
    data = document.data if isinstance(document.data, dict) else {}
    yield from ((path, "A key cannot contain a parameter.") for path in _keys(data, ()) if PLACEHOLDER.search(path[-1]))
    for path, text in _texts(data, ()):
        if not PLACEHOLDER.search(text):
            continue
        if path[0] in ("kind", "apiVersion"):
            yield path, f"{path[0]} cannot contain a parameter."
        elif data.get("kind") in _RIGHTS and path[0] != "metadata":
            yield path, "Permissions cannot depend on a parameter. Write them out."


@dataclass(frozen=True)
class _Filling:
    document: Document
    parameters: Mapping[str, Parameter]
    values: Mapping[str, str]
    remarks: list[Remark]

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self.value(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, (*path, index)) for index, each in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: Path) -> Any:
        try:
            whole = PLACEHOLDER.fullmatch(text) if path in self.document.unquoted else None
            filled = substitute(text, dict(self.values))
            parameter = self.parameters.get(whole[1]) if whole else None
            return _typed(parameter, filled) if parameter else filled
        except ValueError as error:
            self.remarks.append((path, str(error)))
            return text


def _typed(parameter: Parameter, value: str) -> Any:
    """A value that stands without quotes. Raises ValueError where it is not of its type."""
    if parameter.type is Kind.INTEGER:
        try:
            return int(value)
        except ValueError as error:
            raise ValueError(f"“{value}” is not a whole number.") from error
    if parameter.type is Kind.BOOLEAN:
        if value not in ("true", "false"):
            raise ValueError(f"“{value}” is neither true nor false.")
        return value == "true"
    return value


def _text(data: Any, *path: str) -> str:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield from _texts(each, (*path, key))


def _keys(value: Any, path: Path) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield from ((*path, key) for key in value)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield from _keys(each, (*path, key))
