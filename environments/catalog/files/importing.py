"""Imports template documents: all of them or none. A document without changes does nothing.

A document is the whole truth about its template: what it does not mention goes back to its default. Versions go
through template_actions, so that published ones stay as they are and the history is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from environments.catalog import templates as template_actions
from environments.catalog.files import checking, differing
from environments.catalog.files.content import Card, TemplateFile
from environments.catalog.files.mistakes import InvalidFilesError, Mistake
from environments.catalog.files.reading import Document
from environments.lib.activity import TemplateActivity
from environments.models import Cluster, Team, Template, TemplateVersion, User
from environments.models.templates import TemplateEvent

CHANGELOG = "Imported from a file."
_COLUMNS = (
    "name", "summary", "category", "icon", "readme", "placement", "per_person",
    "review_days", "review_idle_days", "review_answer_days",
)  # fmt: skip
_LONGEST = 200  # characters of a changelog line
State = TemplateVersion.State


@dataclass(frozen=True)
class Options:
    """How to import: as whom (None: a command), with which changelog line over the file's, only as far as a draft."""

    actor: User | None = None
    changelog: str = ""
    draft: bool = False
    note: str = ""  # what the history says of the check on clusters


@dataclass(frozen=True)
class Outcome:
    """What became of a document."""

    slug: str
    done: str  # "v3 was published", …
    changes: list[str]  # a sentence each; none: there was nothing to do
    notes: list[str]  # what is worth knowing besides
    diff: str


@dataclass(frozen=True)
class _Before:
    """What is stored of a document's template; without anything: nothing."""

    template: Template | None = None
    card: Card | None = None
    version: TemplateVersion | None = None  # the published one


def import_documents(
    documents: Sequence[Document],
    options: Options | None = None,
    *,
    dry_run: bool = False,
    check: Callable[[list[Document]], list[Mistake]] | None = None,
) -> list[Outcome]:
    """Make the record say what the documents say, in one transaction; with `dry_run` it is rolled back at its end.

    `check` says what clusters have against those that would be published. A draft leaves the card of a known template
    alone. Raises InvalidFilesError, and changes nothing.
    """
    options = options or Options()
    mistakes = checking.mistakes(documents, publishing=not options.draft)
    if check and not mistakes and not options.draft:
        mistakes = check(_changed(documents))
    if mistakes:
        raise InvalidFilesError(mistakes)
    outcomes = []
    with transaction.atomic():
        for document in documents:
            try:
                with transaction.atomic():
                    outcomes.append(_carry_out(document.content, options))
            except ValidationError as error:
                mistakes += [document.mistake((), sentence) for sentence in error.messages]
        if mistakes:
            raise InvalidFilesError(mistakes)
        if dry_run:
            transaction.set_rollback(True)
    return outcomes


def _changed(documents: Sequence[Document]) -> list[Document]:
    """The documents whose content is not what is published."""
    slugs = [document.content.template.slug for document in documents]
    rows = TemplateVersion.objects.filter(state=State.PUBLISHED, template__slug__in=slugs)
    published = {row.template.slug: row for row in rows.select_related("template")}
    return [
        document
        for document in documents
        if differing.spec_changes(published.get(document.content.template.slug), document.content.spec)
    ]


def _carry_out(content: TemplateFile, options: Options) -> Outcome:
    """One document, checked. Raises ValidationError."""
    before = _before(content.template.slug)
    card_changes = differing.card_changes(before.card, content.template) if before.card else []
    spec_changes = differing.spec_changes(before.version, content.spec)
    notes = _notes(content, before, options, card_changes, spec_changes)
    if options.draft and before.card:
        content, card_changes = content.model_copy(update={"template": before.card}), []
    line = _changelog(content, options) if spec_changes or not before.version else before.version.changelog
    content = content.model_copy(update={"changelog": line})
    template = _save_card(before, content.template, card_changes, options.actor)
    done = "the card was changed" if card_changes else "no changes"
    if spec_changes:
        done, is_new = _save_version(template, content, options)
        spec_changes = spec_changes if is_new else []
    changes = card_changes + spec_changes
    diff = differing.diff(differing.text(before.version, before.card), differing.body(content)) if changes else ""
    return Outcome(template.slug, done, changes, notes, diff)


def _before(slug: str) -> _Before:
    template = Template.objects.select_for_update().filter(slug=slug).first()
    if template is None:
        return _Before()
    version = template.versions.filter(state=State.PUBLISHED).select_related("template").first()
    return _Before(template, Card.of(template), version)


def _changelog(content: TemplateFile, options: Options) -> str:
    line = options.changelog.strip() or content.changelog or CHANGELOG
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _notes(
    content: TemplateFile, before: _Before, options: Options, card_changes: list[str], spec_changes: list[str]
) -> list[str]:
    notes = []
    if options.draft and card_changes:
        notes.append(
            "The card was not changed, because drafts have no card. Import the file without --draft to change it."
        )
    former = before.version
    if (
        former
        and spec_changes
        and not options.changelog
        and content.changelog
        and content.changelog == former.changelog
    ):
        notes.append(f"The changelog line is the same as in v{former.number}.")
    return notes


def _save_card(before: _Before, card: Card, changes: list[str], actor: User | None) -> Template:
    """Store the card where it is new or another; what changed is recorded."""
    if before.template and not changes:
        return before.template
    template = before.template or Template(slug=card.slug)
    for field in _COLUMNS:
        setattr(template, field, getattr(card, field))
    template.save()
    template.clusters.set(Cluster.objects.filter(slug__in=card.clusters))
    template.teams.set(Team.objects.filter(name__in=card.teams))
    if before.card:
        TemplateEvent.objects.create(
            template=template,
            actor=actor,
            kind=TemplateActivity.CARD_CHANGED,
            message="An import changed the card.",
            changes=changes,
            diff=differing.diff(differing.text(None, before.card), differing.text(None, card)),
        )
    return template


def _save_version(template: Template, content: TemplateFile, options: Options) -> tuple[str, bool]:
    """Have the content as a draft or published; what was done, and whether anything was."""
    version, is_new = _draft(template, content, options.actor)
    if options.draft:
        return (
            (f"v{version.number} is a draft", True) if is_new else (f"v{version.number} is already this draft", False)
        )
    template_actions.publish(version, options.actor, note=options.note)
    return f"v{version.number} was published", True


def _draft(template: Template, content: TemplateFile, actor: User | None) -> tuple[TemplateVersion, bool]:
    """A draft with the content, and whether that changed anything.

    The newest draft is rewritten if only imports ever touched it; one that a person works on is left alone.
    """
    newest = template.versions.filter(state=State.DRAFT).select_related("template").order_by("-number").first()
    if newest is None or newest.events.exclude(actor=None).exists():
        return template_actions.first_draft(template, actor, content.spec, content.changelog), True
    return newest, template_actions.save_draft(newest, content.spec, content.changelog, actor)
