"""Publish templates from files."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments import template_files

SEEDS = Path(__file__).resolve().parent.parent.parent / "seeds"


class Command(BaseCommand):
    help = "Publish templates from YAML files; without files, the two reference templates and a small one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        files = options["files"] or sorted(SEEDS.glob("*.yaml"))
        try:
            documents = [template_files.read(path) for path in files]
        except ValueError as error:
            raise CommandError(str(error)) from error
        for document in documents:
            self.stdout.write(f"{template_files.publish(document)} is published")
