"""Publish templates from YAML files. docs/templates.md describes the format and the use in a pipeline."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.catalog import files as template_files
from environments.catalog.files import InvalidFilesError, Options, Outcome
from environments.management import file_checks

SEEDS = Path(__file__).resolve().parent.parent.parent / "seeds"
_HELP = """Publish templates from YAML files: all of them or none. Without files, publish the templates that the portal
ships. A file without changes does nothing. What would be published is first checked on every cluster that the template
can use. Exit code 0: done, or no changes; 1: a file has mistakes, and nothing was
changed; 2: an option is wrong."""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="YAML files, or folders with YAML files.")
        parser.add_argument("--dry-run", action="store_true", help="Show what would change, and change nothing.")
        parser.add_argument("--draft", action="store_true", help="Create drafts, which a person publishes.")
        parser.add_argument(
            "--without-check", action="store_true", help="Publish without asking the clusters. The history says so."
        )
        parser.add_argument("--changelog", default="", help="The changelog line, instead of the one in the files.")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run, without = options["dry_run"], options["without_check"]
        note = "Not checked on clusters." if without and file_checks.clusters(()) else ""
        wanted = Options(changelog=options["changelog"], draft=options["draft"], note=note)
        try:
            documents = template_files.read_all(options["files"] or [SEEDS])
            check = None if without else file_checks.mistakes
            outcomes = template_files.import_documents(documents, wanted, dry_run=dry_run, check=check)
        except InvalidFilesError as error:
            raise CommandError(f"{error}\nNothing was changed.") from error
        if options["verbosity"]:
            for outcome in outcomes:
                self._say(outcome, with_diff=dry_run)
            if dry_run:
                self.stdout.write("This was a dry run. Nothing was changed.")

    def _say(self, outcome: Outcome, *, with_diff: bool) -> None:
        self.stdout.write(f"{outcome.slug}: {outcome.done}")
        for sentence in [*outcome.changes, *outcome.notes]:
            self.stdout.write(f"  {sentence}")
        if with_diff and outcome.diff:
            self.stdout.write(outcome.diff)
