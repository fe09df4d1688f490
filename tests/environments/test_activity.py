"""Kinds of activity: every kind can be shown, and rows of other versions of the portal still read well."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, migrations

from environments.lib.activity import Activity, TemplateActivity
from environments.lib.phases import TONES
from environments.models import Event
from environments.routine import notices

_ICONS = Path(settings.BASE_DIR, "templates/components/activity_icon.html").read_text()

#: What the version before wrote: free words. The columns still hold them.
_FORMER = {
    "Quota": "Quota nearly full",
    "Access": "Access changed",
    "Token": "Token",
    "Delete": "Deletion requested",
    "Retry": "Check requested",
    "Drift": "Changed by hand",
    "Handover": "Owner changed",
    "Moved": "Version changed",
    "Ended": "Expired",
    "Ready": "Ready",
}


@pytest.mark.parametrize("kind", Activity)
def test_every_kind_has_a_tone_an_icon_and_a_label(kind):
    assert kind.tone in TONES.values()
    assert f'icon == "{kind.icon}"' in _ICONS
    assert re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", kind.label)


@pytest.mark.parametrize("kind", [*Activity, *TemplateActivity])
def test_every_kind_fits_its_column(kind):
    assert len(kind.value) <= 40


def test_no_icon_is_drawn_for_nothing():
    drawn = set(re.findall(r'icon == "(\w+)"', _ICONS))
    assert drawn
    assert drawn == {kind.icon for kind in Activity}


@pytest.mark.parametrize(("written", "label"), _FORMER.items())
def test_rows_of_the_version_before_have_todays_labels(make_environment, written, label):
    event = Event.objects.create(environment=make_environment(), kind=Activity.READY, message="It happened.")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE environments_event SET verb = %s WHERE id = %s", [written, event.pk])
    event = Event.objects.get(pk=event.pk)
    assert event.get_kind_display() == label
    assert event.activity == written


def test_a_kind_of_a_later_version_is_shown_as_written_and_mailed_to_the_owner(make_environment, mailoutbox):
    environment = make_environment()
    event = Event(environment=environment, kind="Snapshot made", message="It happened.", notice_owed=True)
    event.save()
    assert event.activity is None
    notices.deliver(event.pk)
    (message,) = mailoutbox
    assert message.to == [environment.owner.email]
    assert message.subject.endswith(f"{environment.name}: Snapshot made")


def test_an_event_has_the_tone_and_the_email_of_its_kind(make_environment):
    environment = make_environment()
    ready = Event.record(environment, None, Activity.READY, "x" * 501)
    assert (ready.tone, ready.notice_owed, len(ready.message)) == ("ok", True, 500)
    quiet = Event.record(environment, None, Activity.QUOTA_NEARLY_FULL, "…", tone="bad", notice_owed=False)
    assert (quiet.tone, quiet.notice_owed) == ("bad", False)


@pytest.mark.parametrize("kind", [kind for kind in Activity if kind.mail and not kind.mail.subject])
def test_only_emails_with_a_text_of_their_own_have_no_subject_here(kind):
    asking = (Activity.REQUESTED, Activity.ESCALATED, Activity.CHANGE_REQUESTED, Activity.CHANGE_ESCALATED)
    assert kind in (*asking, Activity.QUOTA_NEARLY_FULL)


def test_the_migration_changes_no_table():
    (operation,) = import_module("environments.migrations.0012_activity").Migration.operations
    assert isinstance(operation, migrations.SeparateDatabaseAndState)
    assert operation.database_operations == []
