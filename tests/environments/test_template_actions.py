"""Versions are drafted, published once, and never rewritten: by the admin, the shell or the import."""

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from hypothesis import assume, given, settings

from environments import spec as template_spec
from environments.catalog import templates as template_actions
from environments.catalog.files import InvalidFilesError, read
from environments.lib.activity import TemplateActivity
from environments.management.commands.import_templates import SEEDS
from environments.models import Template, TemplateVersion
from environments.models.templates import ImmutableVersionError, TemplateEvent
from tests.environments.specs import specs
from tests.templates import publish

State = TemplateVersion.State

GIVEN = {"cpu": "1", "memory": "1Mi", "ephemeral-storage": "1Gi"}


@pytest.fixture
def published(namespace_template) -> TemplateVersion:
    return namespace_template


@pytest.fixture
def draft(published, ada) -> TemplateVersion:
    return template_actions.new_draft(published, ada)


def changed(version: TemplateVersion, **parts) -> template_spec.TemplateSpec:
    return template_spec.parse(version.spec | parts)


class TestAPublishedVersionStaysAsItIs:
    """Whatever way somebody takes."""

    @pytest.fixture(params=[State.PUBLISHED, State.RETIRED])
    def version(self, request, published):
        if request.param == State.RETIRED:
            template_actions.retire(published, None)
        return published

    @pytest.mark.parametrize(
        ("field", "value"), [("spec", {"quota": {"pods": "999"}}), ("changelog", "Something else"), ("number", 77)]
    )
    def test_saving_other_content_is_refused(self, version, field, value):
        before = TemplateVersion.objects.values().get(pk=version.pk)
        setattr(version, field, value)
        with pytest.raises(ImmutableVersionError, match="cannot be edited"):
            version.save()
        with pytest.raises(ImmutableVersionError):
            version.save(update_fields=[field])
        assert TemplateVersion.objects.values().get(pk=version.pk) == before

    def test_a_content_changed_in_place_is_found_as_well(self, version):
        version.spec["quota"]["pods"] = "999"
        with pytest.raises(ImmutableVersionError):
            version.save()

    def test_an_update_of_many_is_refused(self, version):
        for values in ({"spec": {}}, {"changelog": "x"}, {"template": version.template}, {"template_id": 1}):
            with pytest.raises(ImmutableVersionError):
                TemplateVersion.objects.filter(pk=version.pk).update(**values)

    def test_a_bulk_update_is_refused(self, version):
        version.spec = {"quota": {"pods": "999"}}
        with pytest.raises(ImmutableVersionError):
            TemplateVersion.objects.bulk_update([version], ["spec"])

    def test_a_bulk_insert_over_it_is_refused(self, version):
        copy = TemplateVersion(pk=version.pk, template=version.template, number=version.number, spec={})
        with pytest.raises(ImmutableVersionError):
            TemplateVersion.objects.bulk_create(
                [copy], update_conflicts=True, update_fields=["spec"], unique_fields=["pk"]
            )

    def test_a_second_row_under_its_key_is_refused(self, version):
        with pytest.raises(ImmutableVersionError):
            TemplateVersion(pk=version.pk, template=version.template, number=version.number, spec={}).save()

    def test_it_does_not_become_a_draft_again(self, version):
        with pytest.raises(ImmutableVersionError, match="never back"):
            TemplateVersion.objects.filter(pk=version.pk).update(state=State.DRAFT)
        version.state = State.DRAFT
        with pytest.raises(ImmutableVersionError, match="never back"):
            version.save()

    def test_saving_it_unchanged_is_fine(self, version):
        version.save()


def test_a_retired_version_is_not_published_again(published):
    template_actions.retire(published, None)
    with pytest.raises(ImmutableVersionError):
        TemplateVersion.objects.filter(pk=published.pk).update(state=State.PUBLISHED)


def test_a_published_version_is_not_deleted(published):
    with pytest.raises(ImmutableVersionError):
        published.delete()
    with pytest.raises(ImmutableVersionError):
        TemplateVersion.objects.all().delete()
    with pytest.raises(ProtectedError):
        published.template.delete()
    assert TemplateVersion.objects.filter(pk=published.pk).exists()


def test_a_version_in_use_is_not_deleted_even_when_retired(ask):
    version = ask().version
    template_actions.retire(version, None)
    with pytest.raises(ProtectedError):
        version.delete()
    with pytest.raises(ProtectedError):
        TemplateVersion.objects.filter(pk=version.pk).delete()


def test_a_retired_version_that_nobody_used_may_go(published):
    template_actions.retire(published, None)
    TemplateVersion.objects.get(pk=published.pk).delete()
    assert not TemplateVersion.objects.exists()


def test_a_draft_says_what_its_source_says_under_the_next_number(published, draft, ada):
    assert (draft.number, draft.state, draft.spec) == (2, State.DRAFT, published.spec)
    event = draft.events.get()
    assert (event.actor, event.message) == (ada, "Draft v2 was created from v1.")


def test_a_first_draft_is_something_that_can_be_published(ada, db):
    template = Template.objects.create(slug="new", name="New", summary="New")
    draft = template_actions.first_draft(template, ada, changelog="The first.")
    assert template_actions.publish(draft, ada).state == State.PUBLISHED


class TestSavingADraft:
    """It changes the draft, and says how."""

    def test_the_history_says_who_changed_what(self, draft, ada):
        assert template_actions.save_draft(draft, changed(draft, lifetime_days=30), "Shorter.", ada)
        event = draft.events.first()
        assert (event.actor, event.kind) == (ada, "Edit")
        assert event.changes == ["Lifetime: 30 days, was 90 days."]
        assert "-lifetime_days: 90\n+lifetime_days: 30" in event.diff

    def test_the_same_again_is_no_change(self, draft, ada):
        assert not template_actions.save_draft(draft, draft.parsed(), draft.changelog, ada)
        assert draft.events.filter(kind=TemplateActivity.DRAFT_EDITED).count() == 0

    def test_what_is_published_meanwhile_is_not_overwritten(self, draft, ada):
        template_actions.save_draft(draft, draft.parsed(), "New.", ada)
        template_actions.publish(draft, ada)
        with pytest.raises(ValidationError, match="no longer a draft"):
            template_actions.save_draft(draft, changed(draft, lifetime_days=1), "Late.", ada)
        draft.refresh_from_db()
        assert draft.spec["lifetime_days"] == 90

    def test_what_somebody_else_saved_meanwhile_is_not_overwritten(self, draft, ada):
        seen = template_actions.digest(draft)
        other = TemplateVersion.objects.get(pk=draft.pk)
        template_actions.save_draft(other, changed(draft, lifetime_days=5), "Theirs.", ada, based_on=seen)
        with pytest.raises(ValidationError, match="Someone else"):
            template_actions.save_draft(draft, changed(draft, lifetime_days=6), "Mine.", ada, based_on=seen)
        draft.refresh_from_db()
        assert draft.spec["lifetime_days"] == 5


class TestPublishing:
    """One version is published, and it is one that works."""

    def test_the_former_one_is_retired_in_the_same_moment(self, published, draft, ada):
        template_actions.save_draft(draft, changed(draft, lifetime_days=30), "Shorter.", ada)
        template_actions.publish(draft, ada)
        published.refresh_from_db()
        assert (published.state, draft.state, draft.published_by) == (State.RETIRED, State.PUBLISHED, ada)
        assert draft.published_at is not None
        event = draft.events.first()
        assert event.message == "v2 was published; v1 is retired. Shorter."
        assert event.changes == ["Lifetime: 30 days, was 90 days."]

    def test_it_needs_a_line_that_says_what_is_new(self, draft, ada):
        with pytest.raises(ValidationError, match="changelog"):
            template_actions.publish(draft, ada)
        draft.refresh_from_db()
        assert draft.state == State.DRAFT

    @pytest.mark.parametrize(
        ("parts", "sentence"),
        [
            ({"parameters": [{"name": "cpu", "default": "1"}, {"name": "memory", "default": "1Gi"}]}, "any text"),
            ({"parameters": [{"name": n, "type": "quantity"} for n in ("cpu", "memory")]}, "can be empty"),
            ({"limits": {"default": {"cpu": "1"}, "default_request": {"cpu": "2"}}}, "above the default"),
            ({"limits": {"default": {"cpu": "2"}, "maximum": {"cpu": "1500m"}}}, "above the maximum"),
            ({"quota": {"requests.cpu": "4", "limits.cpu": "2"}}, "Part of this can never be used.*: 2 of CPU limits"),
            ({"quota": {"cpu": "4", "limits.cpu": "2"}}, "Part of this can never be used"),
            (
                {"quota": {"limits.cpu": "2"}, "sizes": [{"name": "big", "quota": {"requests.cpu": "4"}}]},
                "Part of this can never be used",
            ),
        ],
    )
    def test_what_no_cluster_would_accept_is_not_published(self, published, draft, ada, parts, sentence):
        template_actions.save_draft(draft, changed(draft, **parts), "New.", ada)
        with pytest.raises(ValidationError, match=sentence):
            template_actions.publish(draft, ada)
        published.refresh_from_db()
        assert published.state == State.PUBLISHED

    def test_every_reason_is_said_at_once(self, draft, ada):
        spec = changed(draft, limits={"default": GIVEN, "default_request": {"cpu": "2"}})
        template_actions.save_draft(draft, spec, "", ada)
        with pytest.raises(ValidationError) as caught:
            template_actions.publish(draft, ada)
        assert len(caught.value.messages) == 2

    def test_content_that_cannot_be_read_is_not_published(self, draft, ada):
        TemplateVersion.objects.filter(pk=draft.pk).update(spec={"colour": "red"}, changelog="Red.")
        with pytest.raises(ValidationError, match="colour"):
            template_actions.publish(draft, ada)

    def test_twice_is_refused_the_second_time(self, draft, ada):
        template_actions.save_draft(draft, draft.parsed(), "New.", ada)
        template_actions.publish(draft, ada)
        with pytest.raises(ValidationError, match="no longer a draft"):
            template_actions.publish(draft, ada)


def test_what_is_retired_cannot_be_requested_and_is_retired_once(published, ada, client):
    template_actions.retire(published, ada)
    client.force_login(ada)
    assert client.get(f"/catalog/{published.template.slug}/").status_code == 404
    with pytest.raises(ValidationError, match="not published"):
        template_actions.retire(published, ada)


def test_a_draft_that_is_thrown_away_leaves_its_content_in_the_history(draft, ada):
    template = draft.template
    template_actions.discard(draft, ada)
    event = template.events.first()
    assert (event.kind, event.version, event.actor) == ("Discard", None, ada)
    assert "-lifetime_days: 90" in event.diff
    assert template.versions.count() == 1


def test_only_drafts_are_thrown_away(published, ada):
    with pytest.raises(ValidationError):
        template_actions.discard(published, ada)


class TestTheImport:
    """It goes the same way as people do."""

    def test_it_retires_the_former_version_and_leaves_it_as_it_was(self, published):
        document = read(SEEDS / "namespace.yaml")
        before = dict(published.spec)
        newer = document.model_copy(update={"spec": changed(published, lifetime_days=30)})
        second = publish(newer)
        published.refresh_from_db()
        assert (published.state, published.spec) == (State.RETIRED, before)
        assert (second.number, second.state, second.published_by) == (2, State.PUBLISHED, None)

    def test_the_same_again_changes_nothing(self, published):
        events = TemplateEvent.objects.count()
        assert publish(read(SEEDS / "namespace.yaml")) == published
        assert TemplateEvent.objects.count() == events

    def test_what_must_not_be_published_leaves_no_trace(self, published):
        broken = changed(published, limits={"default": {"cpu": "1"}, "default_request": {"cpu": "2"}})
        document = read(SEEDS / "namespace.yaml").model_copy(update={"spec": broken})
        with pytest.raises(InvalidFilesError, match="The default request is above the default"):
            publish(document)
        assert published.template.versions.count() == 1
        published.refresh_from_db()
        assert published.state == State.PUBLISHED


@pytest.mark.parametrize(
    ("parts", "sentences"),
    [
        ({"quota": {"pods": "20"}}, ["Quota, pods: 20, was 10 (more)."]),
        ({"quota": {"pods": "0.01k"}}, ["Quota, pods: 0.01k, was 10 (the same amount)."]),
        (
            {"quota": {"pods": "5", "services": "1"}},
            ["Quota, pods: 5, was 10 (less).", "Quota, services: 1, was not set."],
        ),
        ({"network": {"dns": False}}, ["No longer allowed: Pods can resolve DNS names."]),
        ({"pod_security": {"enforce": "restricted"}}, ["Pod Security, enforce: restricted, was baseline."]),
        ({"owner_role": "developer"}, ["Owner's role: developer, was admin."]),
        ({"lifetime_days": 7}, ["Lifetime: 7 days, was no end."]),
        ({"approval": True}, ["Every request needs approval: yes, was no."]),
        ({"collaborator_roles": []}, ["Roles for collaborators: nothing, was developer, viewer."]),
        ({"sizes": [{"name": "s", "quota": {"pods": "1"}}]}, ["The size S was added."]),
        ({"parameters": [{"name": "p"}]}, ["The parameter P was added."]),
        ({"limits": {"default": {"cpu": "1"}}}, ["Container default, cpu: 1, was not set."]),
        ({"extension": {"times": 2}}, ["extension.times: “2”, was empty."]),
    ],
)
def test_a_difference_is_a_sentence(parts, sentences):
    old = {"quota": {"pods": "10"}}
    said = template_actions.differences(template_spec.parse(old), template_spec.parse(old | parts))
    assert said == sentences


def test_a_changed_parameter_says_what_was_and_what_is():
    def with_(**more):
        parameter = {"name": "cpu", "type": "quantity", "default": "1", "choices": ["1", "2"]} | more
        return template_spec.parse({"quota": {"pods": "1"}, "parameters": [parameter]})

    said = template_actions.differences(with_(), with_(default="2", choices=["2"], required=True))
    assert said == [
        "Parameter CPU: required is yes, was no.",
        "Parameter CPU: the default is “2”, was “1”.",
        "Parameter CPU: the list of values is 2, was 1, 2.",
    ]


def test_another_order_is_a_difference():
    def ordered(*names):
        return template_spec.parse({"quota": {"pods": "1"}, "parameters": [{"name": name} for name in names]})

    assert template_actions.differences(ordered("a", "b"), ordered("b", "a")) == [
        "The order of the parameters changed."
    ]


@given(specs(), specs())
@settings(max_examples=80, deadline=None)
def test_no_difference_is_ever_passed_over(one, two):
    assume(one != two)
    assert template_actions.differences(one, two)
    assert template_actions.unified_diff(template_spec.dump(one), template_spec.dump(two), "one", "two")
    assert template_actions.differences(one, one) == []
