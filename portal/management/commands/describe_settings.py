"""`manage.py describe_settings`: the table of settings as Markdown."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.settings_doc import markdown


class Command(BaseCommand):
    help = "Print docs/settings.md: every setting, what it is for, what it may be, and its default."

    def handle(self, **options: Any) -> None:
        self.stdout.write(markdown(), ending="")
