"""Templates as files: one YAML document says what a template is called and what it gives."""

from pathlib import Path
from typing import Any

import yaml
from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from environments import spec as template_spec
from environments import template_actions
from environments.models import Template, TemplateVersion, User
from environments.spec import TemplateSpec


class Card(BaseModel):
    """What the catalog shows."""

    model_config = ConfigDict(extra="forbid")

    slug: str = Field(pattern=r"^[a-z0-9-]+$", max_length=50)
    name: str = Field(max_length=80)
    summary: str = Field(max_length=200)
    category: str = Field(default="Developer Productivity", max_length=60)
    icon: str = "box"
    readme: str = ""


class TemplateFile(BaseModel):
    """One document."""

    model_config = ConfigDict(extra="forbid")

    template: Card
    spec: TemplateSpec


def read(path: Path) -> TemplateFile:
    """The template in a file. Raises ValueError with the file's name and what is wrong."""
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TemplateFile.model_validate(data)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{path}: {error}") from error


def publish(document: TemplateFile, *, actor: User | None = None) -> TemplateVersion:
    """Make the document the template's published version; nothing changes where it already is.

    Raises ValidationError, and changes nothing, where it must not be published.
    """
    with transaction.atomic():
        card = document.template.model_dump()
        template, _ = Template.objects.update_or_create(slug=card.pop("slug"), defaults=card)
        current = template.versions.filter(state=TemplateVersion.State.PUBLISHED).first()
        if current and current.spec == template_spec.dump(document.spec):
            return current
        draft = template_actions.first_draft(template, actor, document.spec, "Imported from a file.")
        return template_actions.publish(draft, actor)
