"""Templates from files are checked on their clusters before they are published, too."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from environments.management import file_checks
from environments.models import Cluster, TemplateVersion
from environments.models.templates import TemplateEvent
from tests.texts import REFUSED

SMALL = """\
template:
  slug: small
  name: Small
  summary: A small one.
spec:
  quota:
    pods: "5"
    {more}: "5"
"""
UNCOUNTED = "This cluster never counts count/widgets.example.com, so the quota does not limit it."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.yaml"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """On a simulated cluster everything is known at once."""
    monkeypatch.setattr(file_checks.time, "sleep", lambda seconds: None)


def run(*arguments, **options) -> str:
    said = io.StringIO()
    call_command("import_templates", *arguments, stdout=said, **options)
    return said.getvalue()


def published() -> list[str]:
    return [str(each) for each in TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED)]


def test_what_the_cluster_takes_is_published(file, place, admin):
    file.write_text(SMALL.format(more="services"))
    assert "small: v1 was published" in run(file)
    assert Cluster.objects.get().workbench_lease is None
    assert admin.get("Namespace", "allotment-workbench")


def test_what_it_refuses_is_said_at_its_line_and_nothing_is_changed(file, place):
    file.write_text(SMALL.format(more="count/widgets.example.com"))
    with pytest.raises(CommandError) as caught:
        run(file)
    line = f"{file}:8: spec.quota.count/widgets.example.com: Amsterdam: {UNCOUNTED}"
    assert str(caught.value) == f"{line}\nNothing was changed."
    assert not TemplateVersion.objects.exists()
    with pytest.raises(CommandError, match="never counts"):
        run(file, dry_run=True)


def test_what_is_only_to_be_a_draft_is_checked_when_it_is_published(file, place):
    file.write_text(SMALL.format(more="count/widgets.example.com"))
    assert "small: v1 is a draft" in run(file, draft=True)


def test_a_cluster_that_does_not_answer_stops_it_unless_that_is_wanted(file, place):
    Cluster.objects.update(server="http://127.0.0.1:1")
    file.write_text(SMALL.format(more="services"))
    with pytest.raises(CommandError) as caught:
        run(file)
    assert f"Amsterdam: It could not be checked. {REFUSED}" in str(caught.value)
    assert "use --without-check" in str(caught.value)
    assert "small: v1 was published" in run(file, without_check=True)
    assert TemplateEvent.objects.first().message == "v1 was published. Not checked on clusters. Imported from a file."


def test_a_file_without_changes_asks_no_cluster(file, place):
    file.write_text(SMALL.format(more="services"))
    run(file)
    Cluster.objects.update(server="http://127.0.0.1:1")
    assert "small: no changes" in run(file)


def test_clusters_that_the_template_cannot_use_are_not_asked(file, place):
    Cluster.objects.create(slug="berlin", name="Berlin", server="http://127.0.0.1:1")
    text = SMALL.format(more="services")
    file.write_text(text.replace("spec:\n", "  clusters: [amsterdam]\nspec:\n"))
    assert "small: v1 was published" in run(file)
    assert published() == ["Small v1"]


def test_a_workbench_in_use_is_waited_for(file, place, monkeypatch):
    until = timezone.now() + timedelta(minutes=1)
    Cluster.objects.update(workbench_lease="11111111-1111-1111-1111-111111111111", workbench_until=until)
    file.write_text(SMALL.format(more="services"))
    monkeypatch.setattr(file_checks, "_TURN", 0)
    with pytest.raises(CommandError, match="Another check uses its workbench"):
        run(file)
    assert Cluster.objects.get().workbench_lease is not None
    Cluster.objects.update(workbench_until=timezone.now() - timedelta(seconds=1))
    assert "small: v1 was published" in run(file)
