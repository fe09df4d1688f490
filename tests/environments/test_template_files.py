"""Templates as files: the same text there and back, every mistake with its line, and nothing done twice or by half."""

import io
import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.catalog import files as template_files
from environments.catalog import templates as template_actions
from environments.catalog.files import Card, InvalidFilesError, TemplateFile, as_text, nodes, reading
from environments.catalog.files.writing import as_data, dumped
from environments.lib.activity import TemplateActivity
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Team, Template, TemplateVersion, User
from environments.models.templates import Placement, TemplateEvent

ROOT = Path(__file__).parent.parent.parent
SEED_FILES = sorted(SEEDS.glob("*.yaml"))
SMALL = """\
template:
  slug: small
  name: Small
  summary: The least there is.
spec:
  quota:
    pods: "5"
"""
State = TemplateVersion.State


@pytest.fixture
def write(tmp_path):
    """Write a file, and give its path."""

    def make(text: str, name: str = "small.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def run(*arguments, **options) -> str:
    """What an import says."""
    said = io.StringIO()
    call_command("import_templates", *arguments, stdout=said, **options)
    return said.getvalue()


def exported(*slugs) -> str:
    """What an export says."""
    said = io.StringIO()
    call_command("export_templates", *slugs, stdout=said, stderr=io.StringIO())
    return said.getvalue()


def refusal(text: str, name: str = "f") -> list[str]:
    """The lines about what is wrong with a text."""
    with pytest.raises(InvalidFilesError) as caught:
        reading.read_texts([(name, text)])
    return str(caught.value).splitlines()


def states() -> list[tuple[str, int, str]]:
    """Every version there is."""
    return list(
        TemplateVersion.objects.order_by("template__slug", "number").values_list("template__slug", "number", "state")
    )


# There and back


@pytest.mark.parametrize("path", SEED_FILES, ids=lambda path: path.stem)
def test_a_shipped_file_is_written_as_an_export_would_write_it(path):
    lines = path.read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("#"))
    assert as_text(template_files.read(path)).partition("\n")[2] == text


@pytest.mark.django_db
def test_an_export_imported_elsewhere_is_exported_as_the_same_bytes(tmp_path):
    Cluster.objects.create(slug="amsterdam", name="Amsterdam", accepts_new=False)
    Team.objects.create(name="Search: 10", group="search")
    run(verbosity=0)
    template = Template.objects.get(slug="namespace")
    template.clusters.set(Cluster.objects.all())
    template.teams.set(Team.objects.all())
    Template.objects.filter(pk=template.pk).update(
        placement=Placement.AUTOMATIC, per_person=3, readme="From a\r\nbrowser.\r\n"
    )
    call_command("export_templates", folder=tmp_path / "one", stderr=io.StringIO())
    before = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert "no changes" in run(tmp_path / "one")
    TemplateEvent.objects.all().delete()
    TemplateVersion.objects.update(state=State.RETIRED)
    TemplateVersion.objects.all().delete()
    Template.objects.all().delete()
    run(tmp_path / "one")
    call_command("export_templates", folder=tmp_path / "two", stderr=io.StringIO())
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == before
    assert set(before) == {
        "namespace.yaml",
        "gpu-namespace.yaml",
        "preview.yaml",
        "web-preview.yaml",
        "template.schema.json",
    }
    assert b"clusters: [amsterdam]\n  teams: ['Search: 10']\n  placement: automatic\n" in before["namespace.yaml"]


@pytest.mark.django_db
def test_an_export_to_the_standard_output_is_one_stream_of_documents(write):
    run(verbosity=0)
    text = exported()
    documents = template_files.read_all([write(text)])
    assert [document.content.template.slug for document in documents] == [
        "gpu-namespace",
        "namespace",
        "preview",
        "web-preview",
    ]
    assert text.count("# yaml-language-server: $schema=template.schema.json\n") == 4
    assert exported("preview", "namespace") == "---\n".join(as_text(one.content) for one in documents[1:3])


TEXTS = st.text(max_size=60).map(str.strip)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True)


@given(
    readme=TEXTS, help=TEXTS, default=TEXTS, notes=st.dictionaries(NAMES, TEXTS, max_size=3), choices=st.lists(TEXTS)
)
@settings(max_examples=300, deadline=None)
def test_any_text_survives_the_way_there_and_back(readme, help, default, notes, choices):  # noqa: A002
    spec = {
        "quota": {"pods": "1e3"},
        "parameters": [{"name": "p", "help": help, "default": default}, {"name": "q", "choices": choices}],
        "annotations": notes,
    }
    card = {"slug": "x", "name": "X", "summary": "x", "readme": readme}
    data = as_data(TemplateFile.model_validate({"template": card, "spec": spec}))
    text = dumped(data)
    (tree,), wrong = nodes.trees("f", text)
    assert not wrong
    again = TemplateFile.model_validate(tree.data)
    assert as_data(again) == data
    assert dumped(as_data(again)) == text


def test_long_texts_are_blocks_and_figures_stay_texts_for_every_reader():
    card = {"slug": "x", "name": "On", "summary": "x", "readme": "One\n\n- two\n"}
    spec = {"quota": {"pods": "10", "b": "1e3", "requests.cpu": "500m"}, "manifests": "a: 1\n---\nb: 2"}
    text = as_text(TemplateFile.model_validate({"template": card, "spec": spec}))
    assert "  readme: |\n    One\n\n    - two\nspec:" in text
    assert '  quota:\n    requests.cpu: 500m\n    pods: "10"\n    b: "1e3"\n' in text
    assert "  manifests: |\n    a: 1\n    ---\n    b: 2\n" in text
    assert '  name: "On"\n' in text


# What is wrong, and where


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("  colour: red", "f:8: spec.colour: There is no field colour."),
        ("  lifetime_day: 3", "f:8: spec.lifetime_day: There is no field lifetime_day. Did you mean lifetime_days?"),
        ("  lifetime_days: soon", "f:8: spec.lifetime_days: This must be a whole number."),
        ("  lifetime_days: 0", "f:8: spec.lifetime_days: Input should be greater than or equal to 1"),
        ("  network:\n    dns: maybe", "f:9: spec.network.dns: This must be true or false."),
        ("  network: [dns]", "f:8: spec.network: This must be a mapping of fields."),
        ("  parameters: cpu", "f:8: spec.parameters: This must be a list."),
        ("  parameters:\n    - label: A\n    - name: b", "f:9: spec.parameters[0]: The field name is missing."),
        ("  parameters:\n    - name: a\n      mode: fixed", "f:9: spec.parameters[0].default: A fixed parameter needs"),
        ("  limits:\n    default: {cpu: lots}", "f:9: spec.limits.default.cpu: “lots” is not a quantity"),
        ("  limits:\n    default: {A B: 1}", "f:9: spec.limits.default.A B: This is not a resource name"),
        ("  pod_security: {enforce: strict}", "f:8: spec.pod_security.enforce: Choose privileged, baseline"),
        ("  quota:\n    pods: 3", "f:8: spec: “quota” appears twice."),
        ("  labels:", "f:8: spec.labels: This must be a mapping."),
        ("  [1]: x", "f:8: spec: A field name must be one word."),
        ("  <<: {dns: true}", "f:8: spec: Merge keys"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_place(line, sentence):
    (said,) = refusal(f"{SMALL}{line}\n")
    assert said.startswith(sentence)


def test_all_mistakes_of_all_files_and_documents_come_at_once(write):
    one = write(SMALL.replace("slug: small", "slug: Ä").replace('pods: "5"', "pods: many"), "one.yaml")
    two = write(f"{SMALL}---\n{SMALL.replace('name: Small', 'nam: Small')}", "two.yaml")
    three = write("a: [", "three.yaml")
    with pytest.raises(InvalidFilesError) as caught:
        template_files.read_all([one, two, three, one.parent / "none.yaml"])
    assert [(Path(mistake.file).stem, mistake.line) for mistake in caught.value.mistakes] == [
        ("one", 2),
        ("one", 7),
        ("two", 9),
        ("two", 11),
        ("three", 2),
        ("none", 0),
    ]
    assert "The file cannot be read: No such file or directory." in str(caught.value)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("!!python/object/apply:os.system [reboot]", "f:1: The tag tag:yaml.org,2002:python/object/apply:os.system is"),
        (f"{SMALL}\n  naming: !env HOME\n", "f:9: The tag !env is not allowed"),
        (BOMB, "Aliases make this too large"),
        ("a: &a\n  b: *a\n", "Aliases make this too large"),
        ("[" * 200, "f:1: This is nested more than 20 levels deep."),
        ("a: " + "x" * nodes.MAX_CHARACTERS, "f: This file is larger than 4 MiB."),
        ("a: [", "f:2: This is not YAML"),
        ("a: b: c", "f:1: This is not YAML"),
        ("a: *b", "f:1: This is not YAML"),
        ("a: \0", "f: This is not YAML: it contains characters that YAML forbids."),
        ("", "f: This file contains no template."),
        ("---\n# nothing\n---\n", "f: This file contains no template."),
        ("just words", "f:1: This must be a mapping of fields."),
        ("- a\n- b", "f:1: This must be a mapping of fields."),
    ],
    ids=lambda text: text[:20],
)
def test_what_could_do_harm_or_makes_no_sense_is_refused_with_a_sentence(text, sentence):
    (said,) = refusal(text)
    assert sentence in said


def test_a_file_of_nonsense_is_not_read_aloud():
    said = refusal(SMALL + "".join(f"  x{number}: 1\n" for number in range(500)))
    assert len(said) == 101
    assert said[-1] == "… and 400 more."


def test_a_file_that_is_no_text_and_an_empty_folder_are_refused(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFilesError, match="it is not UTF-8"):
        template_files.read(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidFilesError, match="This file contains no template"):
        template_files.read_all([tmp_path / "empty"])


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_a_template_or_a_list_of_sentences(text):
    with pytest.raises(InvalidFilesError):
        reading.read_texts([("f", text)])


def test_a_scalar_is_the_text_that_was_written_and_an_alias_is_a_whole_value():
    text = SMALL.replace('"5"', "010") + "  network: &n {dns: off}\n  labels: {on: yes, date: 2026-01-05}\n"
    spec = reading.read_texts([("f", text)])[0].content.spec
    assert spec.quota["pods"] == "010"
    assert spec.network.dns is False
    assert spec.labels == {"on": "yes", "date": "2026-01-05"}


@pytest.mark.django_db
def test_names_that_nobody_has_are_said_at_their_lines(write):
    Cluster.objects.create(slug="amsterdam", name="Amsterdam")
    Team.objects.create(name="Search", group="search")
    Template.objects.create(slug="other", name="Small", summary="x")
    card = "  summary: The least there is.\n"
    text = SMALL.replace(card, f"{card}  clusters: [amsterdam, amsterdm]\n  teams:\n    - Search\n    - Payments\n")
    path = write(f"{text}  sizes:\n    - name: s\n      quota: {{pods: 1}}\n      teams: [Serch]\n")
    with pytest.raises(CommandError) as caught:
        run(path)
    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        "5: template.clusters[1]: There is no cluster amsterdm. Did you mean amsterdam?",
        "8: template.teams[1]: There is no team Payments.",
        "15: spec.sizes[0].teams[0]: There is no team Serch. Did you mean Search?",
        "3: template.name: The template other already has this name.",
        "Nothing was changed.",
    ]
    assert caught.value.returncode == 1
    assert not TemplateVersion.objects.exists()


@pytest.mark.django_db
def test_two_documents_about_one_template_are_refused(write):
    one, two = write(SMALL, "one.yaml"), write(f"# again\n{SMALL}", "two.yaml")
    with pytest.raises(
        CommandError, match=r"two.yaml:3: template.slug: The slug small is already used in .*one.yaml:2"
    ):
        run(one, two)
    with pytest.raises(CommandError, match=r"one.yaml:11: template.name: The name Small is already used"):
        run(write(f"{SMALL}---\n{SMALL.replace('slug: small', 'slug: b')}", "one.yaml"))


@pytest.mark.django_db
def test_what_no_cluster_would_accept_is_said_at_its_line_and_may_be_a_draft(write):
    limits = "  limits:\n    default: {cpu: 1}\n    default_request: {cpu: 2}\n"
    path = write(SMALL + limits)
    with pytest.raises(
        CommandError, match=r"small.yaml:10: spec.limits.default_request.cpu: The default request is above"
    ):
        run(path)
    assert "v1 is a draft" in run(path, "--draft")


@pytest.mark.django_db
def test_what_is_wrong_with_extra_manifests_is_said_at_its_line_of_the_file(write):
    manifest = "  manifests: |\n    # first\n    apiVersion: v1\n    kind: Node\n    metadata: {name: n}\n"
    with pytest.raises(CommandError, match=r"small.yaml:11: spec.manifests: Line 3, Node n: A Node belongs"):
        run(write(SMALL + manifest))


# What an import does


@pytest.mark.django_db
def test_an_import_publishes_and_says_what_changed_and_the_second_does_nothing(write):
    assert run(write(SMALL)) == "small: v1 was published\n  No version was published before.\n"
    events = TemplateEvent.objects.count()
    assert run(write(SMALL)) == "small: no changes\n"
    assert TemplateEvent.objects.count() == events
    changed = write(SMALL.replace('"5"', "9"))
    assert run(changed, "--changelog", "More pods") == "small: v2 was published\n  Quota, pods: 9, was 5 (more).\n"
    assert states() == [("small", 1, "retired"), ("small", 2, "published")]
    assert TemplateVersion.objects.get(number=2).changelog == "More pods"
    event = TemplateEvent.objects.first()
    assert event.kind == TemplateActivity.PUBLISHED
    assert event.changes == ["Quota, pods: 9, was 5 (more)."]


@pytest.mark.django_db
def test_the_changelog_is_the_files_own_unless_the_command_says_another(write):
    run(write(f"{SMALL}changelog: From the file\n"))
    assert TemplateVersion.objects.get().changelog == "From the file"
    text = f"{SMALL.replace('5', '6')}changelog: From the file\n"
    assert "The changelog line is the same as in v1." in run(write(text))
    assert run(write(SMALL.replace("5", "7")), "--changelog", "x" * 300).count("\n") == 2
    assert TemplateVersion.objects.get(number=3).changelog == "x" * 199 + "…"
    assert "Imported from a file." in [row.changelog for row in (run(write(SMALL)), *TemplateVersion.objects.all())[1:]]


@pytest.mark.django_db
def test_a_card_alone_is_changed_and_recorded_without_a_new_version(write):
    team = Team.objects.create(name="Search", group="search")
    run(write(SMALL))
    text = SMALL.replace("The least there is.", "Little.\n  teams: [Search]\n  per_person: 2\n  readme: Read.")
    assert run(write(text)) == (
        "small: the card was changed\n"
        "  Card, summary: “Little.”, was “The least there is.”.\n"
        "  Card: the readme changed.\n"
        "  Card, teams: Search, was everyone.\n"
        "  Card, per_person: “2”, was any number.\n"
    )
    template = Template.objects.get()
    assert (template.summary, template.per_person, list(template.teams.all())) == ("Little.", 2, [team])
    assert states() == [("small", 1, "published")]
    event = template.events.first()
    assert (event.kind, event.version, event.actor, len(event.changes)) == ("Card", None, None, 4)
    assert "+  teams: [Search]" in event.diff
    assert run(write(text)) == "small: no changes\n"
    run(write(SMALL))  # what a file does not mention goes back to its default
    assert not template.teams.exists()


@pytest.mark.django_db
def test_several_files_are_imported_together_or_not_at_all(write, monkeypatch):
    other = SMALL.replace("small", "other").replace("Small", "Other")
    publish = template_actions.publish

    def refusing(version, actor, **options):
        if version.template.slug == "other":
            raise ValidationError(["It is Friday.", "It is late."])
        return publish(version, actor, **options)

    monkeypatch.setattr(template_actions, "publish", refusing)
    with pytest.raises(CommandError) as caught:
        run(write(SMALL, "a.yaml"), write(other, "b.yaml"))
    assert [line.rpartition("/")[2] for line in str(caught.value).splitlines()] == [
        "b.yaml:1: It is Friday.",
        "b.yaml:1: It is late.",
        "Nothing was changed.",
    ]
    assert not Template.objects.exists()
    monkeypatch.undo()
    run(write(SMALL, "a.yaml"), write(other, "b.yaml"))
    assert len(states()) == 2


@pytest.mark.django_db
def test_a_dry_run_says_what_would_change_and_changes_nothing(write):
    run(write(SMALL))
    rows = (list(Template.objects.values()), list(TemplateVersion.objects.values()), TemplateEvent.objects.count())
    new = SMALL.replace("small", "new").replace("Small", "New")
    said = run(write(f"{SMALL.replace('5', '9')}  lifetime_days: 3\n---\n{new}"), "--dry-run")
    assert said == (
        "small: v2 was published\n"
        "  Quota, pods: 9, was 5 (more).\n"
        "  Lifetime: 3 days, was no end.\n"
        "--- portal\n"
        "+++ file\n"
        "@@ -5,4 +5,5 @@\n"
        " changelog: Imported from a file.\n"
        " spec:\n"
        "   quota:\n"
        '-    pods: "5"\n'
        '+    pods: "9"\n'
        "+  lifetime_days: 3\n"
        "new: v1 was published\n"
        "  No version was published before.\n"
        "--- portal\n"
        "+++ file\n"
        "@@ -0,0 +1,8 @@\n"
        + "".join(f"+{line}\n" for line in new.replace("spec:", "changelog: Imported from a file.\nspec:").splitlines())
        + "This was a dry run. Nothing was changed.\n"
    )
    assert rows == (
        list(Template.objects.values()),
        list(TemplateVersion.objects.values()),
        TemplateEvent.objects.count(),
    )


@pytest.mark.django_db
def test_a_draft_waits_for_a_person_and_is_rewritten_until_somebody_touches_it(write):
    run(write(SMALL))
    edited = write(SMALL.replace("5", "9").replace("The least", "Little"))
    said = run(edited, "--draft")
    assert said.startswith("small: v2 is a draft\n  Quota, pods: 9, was 5 (more).\n  The card was not changed")
    assert Template.objects.get().summary == "The least there is."
    assert run(edited, "--draft").startswith("small: v2 is already this draft\n")
    run(write(SMALL.replace("5", "8")), "--draft")
    assert states() == [("small", 1, "published"), ("small", 2, "draft")]
    draft = TemplateVersion.objects.get(number=2)
    assert draft.spec["quota"] == {"pods": "8"}
    ada = User.objects.create(username="ada", email="ada@example.com")
    template_actions.save_draft(draft, draft.parsed().model_copy(update={"quota": {"pods": "7"}}), "Mine", ada)
    run(edited, "--draft")
    assert TemplateVersion.objects.get(number=2).changelog == "Mine"
    assert run(edited).startswith("small: v3 was published\n")
    assert states() == [("small", 1, "retired"), ("small", 2, "draft"), ("small", 3, "published")]


@pytest.mark.django_db
def test_a_version_that_can_no_longer_be_read_is_replaced_and_not_exported(write):
    run(write(SMALL))
    TemplateVersion.objects.filter(state=State.PUBLISHED).update(state=State.RETIRED)
    template = Template.objects.get()
    TemplateVersion.objects.create(template=template, number=2, state=State.PUBLISHED, spec={"gone": 1})
    with pytest.raises(CommandError, match="small v2 cannot be exported: gone: Extra inputs"):
        exported()
    said = run(write(SMALL), "--dry-run")
    assert "v2 was written for another version of the portal" in said
    assert "-  gone: 1" in said
    assert run(write(SMALL)).startswith("small: v3 was published\n")


@pytest.mark.django_db
def test_without_files_the_shipped_templates_are_published():
    assert [line for line in run().splitlines() if not line.startswith(" ")] == [
        "gpu-namespace: v1 was published",
        "namespace: v1 was published",
        "preview: v1 was published",
        "web-preview: v1 was published",
    ]
    assert run("-v0") == ""


@pytest.mark.django_db
def test_what_is_not_published_is_left_out_of_an_export_and_refused_by_name(write):
    run(write(SMALL), "--draft")
    said = io.StringIO()
    call_command("export_templates", stdout=io.StringIO(), stderr=said)
    assert said.getvalue() == "small was skipped because it has no published version.\n"
    with pytest.raises(CommandError, match=r"no published template small\.\nThere is no published template nope"):
        exported("small", "nope")


@pytest.mark.django_db
def test_publishing_one_document_checks_it_too():
    document = TemplateFile.model_validate(
        {"template": {"slug": "x", "name": "X", "summary": "x", "teams": ["Nobody"]}, "spec": {"quota": {"pods": "1"}}}
    )
    with pytest.raises(InvalidFilesError, match="There is no team Nobody"):
        template_files.import_documents(reading.read_texts([("x.yaml", as_text(document))]))
    assert not Template.objects.exists()


@pytest.mark.django_db
def test_the_queries_of_an_import_without_changes_are_few_for_each_template(
    make_template, write, django_assert_max_num_queries
):
    for number in range(20):
        make_template(f"template-{number}")
    with django_assert_max_num_queries(4):
        text = exported()
    path = write(text)
    run(path)
    with django_assert_max_num_queries(10 + 20 * 6):
        assert run(path).count("no changes") == 20


# For editors and readers


def test_the_schema_file_is_up_to_date():
    assert (ROOT / "docs" / "template.schema.json").read_text() == template_files.json_schema(), "make schema"


def test_every_field_is_explained_in_the_schema_and_in_the_documentation():
    schema = TemplateFile.model_json_schema()
    documentation = (ROOT / "docs" / "templates.md").read_text()
    parts = [schema, *schema["$defs"].values()]
    fields = [(part["title"], name, field) for part in parts for name, field in part.get("properties", {}).items()]
    assert len(fields) > 20
    for title, name, field in fields:
        assert "description" in field or "$ref" in field, (title, name)
        assert f"`{name}`" in documentation or re.search(rf"^ *(- )?{name}:", documentation, re.MULTILINE), name


@pytest.mark.parametrize("path", SEED_FILES, ids=lambda path: path.stem)
def test_a_shipped_file_tells_editors_where_the_schema_is(path):
    schema = path.read_text().partition("\n")[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == ROOT / "docs" / "template.schema.json"


def test_the_examples_of_the_documentation_are_templates():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "templates.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        reading.read_texts([("docs/templates.md", block)])


def test_a_card_says_no_to_an_unknown_icon():
    with pytest.raises(ValueError, match="Choose one of box, chip"):
        Card(slug="x", name="x", summary="x", icon="star")
