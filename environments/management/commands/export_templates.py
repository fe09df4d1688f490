"""Write the published templates as the files that `import_templates` reads. docs/templates.md has the format."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.catalog import files as template_files
from environments.catalog.files import SCHEMA_NAME, TemplateFile
from environments.models import Template, TemplateVersion


class Command(BaseCommand):
    help = "Write published templates as YAML: all of them, or those that you name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG")
        parser.add_argument(
            "--folder", type=Path, help="Write one file per template to this folder, and the JSON Schema for editors."
        )
        parser.add_argument("--schema", action="store_true", help="Write only the JSON Schema.")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path | None = options["folder"]
        if options["schema"]:
            self._put({SCHEMA_NAME: template_files.json_schema()}, folder)
            return
        documents = self._documents(options["slugs"])
        if folder is None:
            self.stdout.write("---\n".join(map(template_files.as_text, documents)), ending="")
            return
        files = {f"{document.template.slug}.yaml": template_files.as_text(document) for document in documents}
        self._put(files | {SCHEMA_NAME: template_files.json_schema()}, folder)

    def _documents(self, slugs: list[str]) -> list[TemplateFile]:
        """The published versions' documents. Raises CommandError with everything that is in the way."""
        rows = TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED).order_by("template__slug")
        rows = rows.select_related("template").prefetch_related("template__clusters", "template__teams")
        found = {row.template.slug: row for row in rows if not slugs or row.template.slug in slugs}
        wrong = [f"There is no published template {slug}." for slug in slugs if slug not in found]
        documents = []
        for slug, row in found.items():
            try:
                documents.append(template_files.stored(row))
            except ValueError as error:
                wrong.append(f"{slug} v{row.number} cannot be exported: {error}")
        if wrong:
            raise CommandError("\n".join(wrong))
        self._say_what_is_left_out(slugs, found)
        return documents

    def _say_what_is_left_out(self, slugs: list[str], found: dict[str, TemplateVersion]) -> None:
        if not slugs:
            rest = Template.objects.exclude(slug__in=found).order_by("slug").values_list("slug", flat=True)
            for slug in rest:
                self.stderr.write(f"{slug} was skipped because it has no published version.")

    def _put(self, files: dict[str, str], folder: Path | None) -> None:
        """Write texts as files of a folder, or to the standard output."""
        if folder is None:
            self.stdout.write("".join(files.values()), ending="")
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}.") from error
        self.stderr.write(f"Wrote {len(files)} file{'s' if len(files) > 1 else ''} to {folder}.")
