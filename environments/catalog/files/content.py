"""The content of a template file: the catalog entry, the changelog line and the version's content."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from environments.models import Template, TemplateVersion
from environments.models.templates import Placement
from environments.spec import Strict, TemplateSpec

_ICONS = [str(value) for value, _ in Template._meta.get_field("icon").flatchoices]


class Card(Strict):
    """The template itself: what the catalog shows, who may request it, and where it lands."""

    slug: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+$", max_length=50)]
    """The template's address in the catalog. Another slug is another template."""
    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What people call it."""
    summary: Annotated[str, Field(min_length=1, max_length=200)]
    """What it is for, in a sentence."""
    category: Annotated[str, Field(min_length=1, max_length=60)] = "Developer Productivity"
    """The catalog's heading."""
    icon: Annotated[str, Field(json_schema_extra={"enum": list[Any](_ICONS)})] = "box"
    """The picture on the card."""
    readme: str = ""
    """The template's page, in Markdown."""
    clusters: tuple[str, ...] = ()
    """Slugs of the clusters that it can use. Empty: every cluster that accepts new environments."""
    teams: tuple[str, ...] = ()
    """Names of the teams that can request it. Empty: everyone."""
    placement: Placement = Placement.CHOICE
    """Who chooses the cluster: the requester (choice), or the portal (automatic: the one with the least reserved)."""
    per_person: Annotated[int, Field(ge=1, le=32767)] | None = None
    """How many environments one person can own at a time. Empty: no limit."""
    review_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """After how many days owners are asked whether they still need it. Empty: they are not asked."""
    review_idle_days: Annotated[int, Field(ge=1, le=90)] | None = None
    """After how many days of hardly any use they are asked. Empty: they are not asked."""
    review_answer_days: Annotated[int, Field(ge=1, le=365)] = 14
    """How many days they have for an answer."""

    @field_validator("icon")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in _ICONS:
            raise ValueError(f"Choose one of {', '.join(_ICONS)}.")
        return value

    @classmethod
    def of(cls, row: Template) -> "Card":
        """A stored template's card, taken as it is. Prefetch clusters and teams for many."""
        texts = {name: getattr(row, name).strip() for name in ("slug", "name", "summary", "category", "icon")}
        return cls.model_construct(
            **texts,
            readme=row.readme.replace("\r\n", "\n").strip(),  # browsers send the other kind of line end
            clusters=tuple(sorted(one.slug for one in row.clusters.all())),
            teams=tuple(sorted(one.name for one in row.teams.all())),
            placement=Placement(row.placement),
            per_person=row.per_person or None,
            review_days=row.review_days or None,
            review_idle_days=row.review_idle_days or None,
            review_answer_days=row.review_answer_days,
        )

    def ordered(self) -> "Card":
        """The same with its lists of names in order, each once."""
        lists = {name: tuple(sorted(set(getattr(self, name)))) for name in ("clusters", "teams")}
        return self.model_copy(update=lists)


class TemplateFile(Strict):
    """An environment template: its card and what the next version of it says."""

    template: Card
    changelog: Annotated[str, Field(max_length=200)] = ""
    """What is new in this version, a line for the history."""
    spec: TemplateSpec


def stored(version: TemplateVersion) -> TemplateFile:
    """The document that would make this version. Raises InvalidSpecError, a ValueError, where it is unreadable now."""
    return TemplateFile(template=Card.of(version.template), changelog=version.changelog, spec=version.parsed())
