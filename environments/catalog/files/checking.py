"""Checks the names in documents: clusters and teams that do not exist, and template names already in use."""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from environments.catalog.files.content import TemplateFile
from environments.catalog.files.mistakes import Mistake
from environments.catalog.files.reading import Document
from environments.models import Cluster, Team, Template
from environments.spec import Problem


class Names:
    """The names in the record, read once for all documents."""

    def __init__(self) -> None:
        self._clusters = set(Cluster.objects.values_list("slug", flat=True))
        self._teams = set(Team.objects.values_list("name", flat=True))
        self._templates = dict(Template.objects.values_list("name", "slug"))

    def problems(self, content: TemplateFile, *, publishing: bool = True) -> list[Problem]:
        """What keeps a document from being stored; for publishing, also what no cluster would accept."""
        card, sizes = content.template, enumerate(content.spec.sizes)
        found = list(_missing("cluster", ("template", "clusters"), card.clusters, self._clusters))
        found += _missing("team", ("template", "teams"), card.teams, self._teams)
        for index, size in sizes:
            found += _missing("team", ("spec", "sizes", index, "teams"), size.teams, self._teams)
        if self._templates.get(card.name, card.slug) != card.slug:
            found.append((("template", "name"), f"The template {self._templates[card.name]} already has this name."))
        if publishing:
            found += [(("spec", *place), text) for place, text in content.spec.objections()]
        return found


def mistakes(documents: Sequence[Document], *, publishing: bool) -> list[Mistake]:
    """Everything that is wrong with documents that are to be imported together."""
    names = Names()
    found = [
        document.mistake(place, text)
        for document in documents
        for place, text in names.problems(document.content, publishing=publishing)
    ]
    return [*_twice(documents, "slug"), *_twice(documents, "name"), *found]


def _twice(documents: Sequence[Document], field: str) -> Iterator[Mistake]:
    """Two documents about one template would undo each other."""
    first: dict[str, Mistake] = {}
    for document in documents:
        value = getattr(document.content.template, field)
        here = document.mistake(("template", field), "")
        if value in first:
            earlier = first[value]
            text = f"The {field} {value} is already used in {earlier.file}:{earlier.line}."
            yield document.mistake(("template", field), text)
        first.setdefault(value, here)


def _missing(what: str, place: tuple[str | int, ...], wanted: Iterable[str], known: set[str]) -> Iterator[Problem]:
    for index, name in enumerate(wanted):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            yield (*place, index), f"There is no {what} {name}.{hint}"
