"""The changes that a document makes, as sentences and as a unified diff."""

import difflib

from environments.catalog import templates as template_actions
from environments.catalog.files.content import Card, TemplateFile
from environments.catalog.files.writing import as_text, dumped
from environments.models import TemplateVersion
from environments.spec import InvalidSpecError, TemplateSpec

_NOBODY_IN_PARTICULAR = {
    "clusters": "any",
    "teams": "everyone",
    "per_person": "any number",
    "review_days": "never",
    "review_idle_days": "never",
}


def card_changes(old: Card, new: Card) -> list[str]:
    """What the catalog will show otherwise, a sentence each."""
    old, new = old.ordered(), new.ordered()
    fields = [field for field in Card.model_fields if getattr(old, field) != getattr(new, field)]
    return [_card_change(field, old, new) for field in fields]


def spec_changes(version: TemplateVersion | None, new: TemplateSpec) -> list[str]:
    """What a version's successor says otherwise, a sentence each; never empty unless it says the same."""
    if version is None:
        return ["No version was published before."]
    try:
        old = version.parsed()
    except InvalidSpecError:
        return [f"v{version.number} was written for another version of the portal and cannot be read."]
    if old == new:
        return []
    return template_actions.differences(old, new) or ["The content changed. See the diff."]


def diff(before: str, after: str) -> str:
    """Two texts as a unified diff, empty where they are the same."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "portal", "file", lineterm="", n=3)
    return "\n".join(lines)


def text(version: TemplateVersion | None, card: Card | None) -> str:
    """What is stored, as the document that it would be exported as; of nothing, nothing."""
    if card is None:
        return ""
    if version is None:
        return dumped({"template": card.model_dump(mode="json", exclude_defaults=True)})
    try:
        return body(TemplateFile(template=card, changelog=version.changelog, spec=version.parsed()))
    except InvalidSpecError:
        return dumped({"spec": version.spec})


def body(content: TemplateFile) -> str:
    """A document without the line for editors."""
    return as_text(content).partition("\n")[2]


def _card_change(field: str, old: Card, new: Card) -> str:
    if field == "readme":
        return "Card: the readme changed."
    before, after = (_said(field, getattr(card, field)) for card in (old, new))
    return f"Card, {field}: {after}, was {before}."


def _said(field: str, value: object) -> str:
    if not value:
        return _NOBODY_IN_PARTICULAR.get(field, "empty")
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"“{value}”"
