"""From files to checked documents. Everything that is wrong is found at once, each thing with its file and line."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from environments.catalog.files.content import TemplateFile
from environments.catalog.files.mistakes import InvalidFilesError, Mistake
from environments.catalog.files.nodes import MAX_CHARACTERS, Tree, trees
from environments.spec import Place
from environments.spec.base import problem_of

_WORDS = {
    "model_type": "This must be a mapping of fields.",
    "dict_type": "This must be a mapping.",
    "tuple_type": "This must be a list.",
    "string_type": "This must be a text.",
    "int_parsing": "This must be a whole number.",
    "int_type": "This must be a whole number.",
    "bool_parsing": "This must be true or false.",
    "bool_type": "This must be true or false.",
}


@dataclass(frozen=True)
class Document:
    """One template and where it stands."""

    content: TemplateFile
    tree: Tree

    def mistake(self, place: Place, text: str) -> Mistake:
        """A sentence about a place of the document."""
        return self.tree.mistake(place, text)


def read(path: Path) -> TemplateFile:
    """The one template in a file. Raises InvalidFilesError, a ValueError with a line for each mistake."""
    documents = read_all([path])
    if len(documents) > 1:
        raise InvalidFilesError([documents[1].mistake((), "This file contains more than one template.")])
    return documents[0].content


def read_all(paths: Iterable[Path]) -> list[Document]:
    """The templates in files, in their order; of a folder, those in its *.yaml and *.yml files.

    Raises InvalidFilesError, a ValueError with a line for each mistake.
    """
    return read_texts([source for path in paths for source in _sources(path)])


def read_texts(sources: Sequence[tuple[str, str | Mistake]]) -> list[Document]:
    """The same for (name, text) pairs; a Mistake instead of the text is passed on."""
    documents: list[Document] = []
    mistakes: list[Mistake] = []
    for name, text in sources:
        found, wrong = trees(name, text) if isinstance(text, str) else ([], [text])
        if not found and not wrong:
            wrong = [Mistake(name, 0, "This file contains no template.")]
        mistakes += wrong
        for tree in found:
            checked = _checked(tree)
            documents += [checked] if isinstance(checked, Document) else []
            mistakes += checked if isinstance(checked, list) else []
    if mistakes:
        raise InvalidFilesError(mistakes)
    return documents


def _sources(path: Path) -> list[tuple[str, str | Mistake]]:
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
            return [(str(file), _text(file)) for file in files] or [(str(path), "")]
        return [(str(path), _text(path))]
    except OSError as error:
        return [(str(path), Mistake(str(path), 0, f"The file cannot be read: {error.strerror}."))]
    except UnicodeDecodeError:
        return [(str(path), Mistake(str(path), 0, "The file cannot be read: it is not UTF-8."))]


def _text(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        return file.read(MAX_CHARACTERS + 1)  # one more than is allowed, to be refused for it


def _checked(tree: Tree) -> Document | list[Mistake]:
    try:
        content = TemplateFile.model_validate(tree.data)
    except ValidationError as error:
        return tree.mistakes + [_mistake(tree, item) for item in error.errors(include_url=False, include_input=False)]
    return tree.mistakes or Document(content, tree)


def _mistake(tree: Tree, item: Any) -> Mistake:
    """One of pydantic's errors in our words, at its line."""
    place, sentence = problem_of(item)
    place = tuple(part for part in place if part != "[key]")
    match item["type"]:
        case "missing":
            return tree.mistake(place[:-1], f"The field {place[-1]} is missing.")
        case "extra_forbidden":
            return tree.mistake(place, f"There is no field {place[-1]}." + _did_you_mean(str(place[-1]), _fields()))
        case kind:
            return tree.mistake(place, _WORDS.get(kind, sentence))


@cache
def _fields() -> frozenset[str]:
    """The names of all fields of all parts."""
    schema = TemplateFile.model_json_schema()
    return frozenset(name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", ()))


def _did_you_mean(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f" Did you mean {close[0]}?" if close else ""
