"""Whatever is typed into the request form: a clear sentence at its field, and nothing lost or half done."""

import uuid

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse

from environments.catalog import files as template_files
from environments.lib import naming
from environments.lib.activity import Activity
from environments.management.commands.import_templates import SEEDS
from environments.models import Environment, Event, Template, TemplateVersion, User
from tests.templates import publish

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

URL = "/catalog/namespace/request/"


@pytest.fixture
def form(place, local_directory, namespace_template, people):
    """A form that is filled in correctly."""
    return {
        "key": str(uuid.uuid4()),
        "version": namespace_template.pk,
        "name": "Checkout refunds",
        "purpose": "Sprint 24",
        "p_cpu": "1000m",
        "p_memory": "1024Mi",
        "cluster": place.pk,
        "collaborators": "",
        "collaborator_role": "developer",
    }


@pytest.fixture
def dana(client, people):
    client.force_login(people[0])
    return client


def errors(response) -> str:
    """The error texts of a page."""
    soup = BeautifulSoup(response.content, "html.parser")
    return " ".join(tag.get_text(" ", strip=True) for tag in soup.select("[class*=error], [role=alert]"))


def send(client, form, **changes):
    return client.post(URL, form | changes)


def test_a_correct_form_leads_to_the_environments_page(dana, form, people):
    response = send(dana, form)
    environment = Environment.objects.get()
    assert response.status_code == 302
    assert response.url == reverse("environment", args=[environment.namespace])
    assert environment.namespace.startswith("dana-checkout-refunds-")
    assert environment.owner == people[0]
    assert environment.parameters == {"cpu": "1000m", "memory": "1024Mi", "network_policy": "enabled"}
    assert Event.objects.get().kind == Activity.REQUESTED


def test_the_namespace_is_the_one_that_the_form_showed(dana, form):
    page = dana.post("/catalog/namespace/preview/", form)
    parts = naming.parts(owner_email="dana@example.com", name=form["name"])
    shown = naming.namespace(parts, naming.suffix_of(uuid.UUID(form["key"])))
    assert shown in page.content.decode()
    send(dana, form)
    assert Environment.objects.get().namespace == shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "   "}, "This field is required"),
        ({"name": "!!!"}, "Use at least one letter or digit"),
        ({"name": "日本語"}, "Use at least one letter or digit"),
        ({"name": "kube-system"}, "is reserved for the cluster"),
        ({"name": "Default"}, "is reserved for the cluster"),
        ({"name": "openshift-x"}, "is reserved for the cluster"),
        ({"name": "x" * 41}, "at most 40 characters"),
        ({"name": "a\x00b"}, "Null characters are not allowed"),
        ({"purpose": "x" * 201}, "at most 200 characters"),
        ({"p_cpu": "3000m"}, "Select a valid choice"),
        ({"p_cpu": ""}, "This field is required"),
        ({"p_memory": "${cpu}"}, "Select a valid choice"),
        ({"cluster": "999"}, "Select a valid choice"),
        ({"cluster": "x"}, "Select a valid choice"),
        ({"key": "not-a-uuid"}, "The form was incomplete"),
        ({"version": "x"}, "The form was incomplete"),
        ({"collaborators": "theo"}, "“theo” is not an email address"),
        ({"collaborators": "a@b@c"}, "is not an email address"),
        ({"collaborators": "<script>@example.com"}, "is not an email address"),
        ({"collaborators": "nobody@example.com"}, "We couldn't find nobody@example.com in the company directory."),
        (
            {"collaborators": " ".join(f"p{n}@example.com" for n in range(21))},
            "Add at most 20 people at once; you entered 21.",
        ),
        ({"collaborator_role": "owner"}, "Select a valid choice"),
        ({"collaborator_role": "admin"}, "Select a valid choice"),
    ],
)
def test_a_mistake_gets_a_sentence_and_nothing_is_made_or_lost(dana, form, changes, sentence):
    response = send(dana, form, **changes)
    assert response.status_code == 422
    assert sentence in errors(response)
    assert not Environment.objects.exists()
    assert not Event.objects.exists()
    soup = BeautifulSoup(response.content, "html.parser")
    kept = soup.select_one("[name=purpose]")["value"]
    assert kept == changes.get("purpose", "Sprint 24")


@pytest.mark.parametrize("name", ["o'neil & <b>", "Größe", "a" * 40, "--x--", "1", "UPPER case", "tab\tand  spaces"])
def test_every_other_name_becomes_a_valid_namespace(dana, form, name):
    assert send(dana, form, name=name).status_code == 302
    environment = Environment.objects.get()
    assert naming.slug(environment.namespace) == environment.namespace
    assert len(environment.namespace) <= 63


@pytest.mark.parametrize("local_part", ["o'neil_+x.y", "a" * 64, "-_-", "kube", "UPPER.Case"])
def test_every_address_makes_a_valid_namespace(client, form, local_part):
    owner = User.objects.create(username=local_part[:60], email=f"{local_part}@example.com")
    client.force_login(owner)
    assert send(client, form).status_code == 302
    environment = Environment.objects.get()
    assert naming.slug(environment.namespace) == environment.namespace
    assert not naming.is_reserved(environment.namespace)


def test_parameters_that_the_template_does_not_have_are_passed_over(dana, form):
    send(dana, form, p_evil="1", network_policy="disabled", p_network_policy="disabled", owner="2", phase="Ready")
    environment = Environment.objects.get()
    assert environment.parameters == {"cpu": "1000m", "memory": "1024Mi", "network_policy": "enabled"}
    assert environment.phase == "Provisioning"


def test_a_huge_body_is_refused_with_a_page(dana, form):
    response = send(dana, form, purpose="x" * (1024 * 1024 + 1))
    assert response.status_code == 400
    assert not Environment.objects.exists()


def test_quantities_to_choose_are_in_the_units_of_the_preview(dana, form):
    soup = BeautifulSoup(dana.get(URL).content, "html.parser")
    options = {name: [option.text for option in soup.select(f"#id_{name} option")] for name in ("p_cpu", "p_memory")}
    assert options == {"p_cpu": ["1 core", "2 cores", "4 cores"], "p_memory": ["1 GiB", "2 GiB", "4 GiB"]}
    assert "CPU requests 1 core" in soup.select_one("#preview").text


def test_a_template_retired_while_its_form_is_open_is_said(dana, form, namespace_template):
    TemplateVersion.objects.filter(pk=namespace_template.pk).update(state=TemplateVersion.State.RETIRED)
    assert send(dana, form).status_code == 404
    assert not Environment.objects.exists()


def test_a_template_changed_while_its_form_is_open_is_looked_at_again(dana, form, namespace_template):
    document = template_files.read(SEEDS / "namespace.yaml")
    quota = document.spec.quota | {"pods": "31"}
    publish(document.model_copy(update={"spec": document.spec.model_copy(update={"quota": quota})}))
    response = send(dana, form)
    assert response.status_code == 422
    assert "changed or retired while you filled in the form" in errors(response)
    assert not Environment.objects.exists()
    soup = BeautifulSoup(response.content, "html.parser")
    again = form | {"version": soup.select_one("[name=version]")["value"]}
    assert dana.post(URL, again).status_code == 302
    assert Environment.objects.get().version.number == 2


def test_a_cluster_that_closed_meanwhile_is_said(dana, form, place):
    place.accepts_new = False
    place.save()
    assert "Select a valid choice" in errors(send(dana, form))


def test_sending_twice_makes_one_environment(dana, form):
    first, second = send(dana, form), send(dana, form)
    assert first.url == second.url
    assert Environment.objects.count() == 1
    assert Event.objects.count() == 1


def test_two_people_may_want_the_same_name_at_once(client, form, people):
    namespaces = set()
    for person in people:
        client.force_login(person)
        assert send(client, form, key=str(uuid.uuid4()), name="same").status_code == 302
    namespaces = set(Environment.objects.values_list("namespace", flat=True))
    assert len(namespaces) == 2


def test_a_suffix_that_is_taken_is_replaced_by_another(dana, form, people):
    send(dana, form)
    taken = Environment.objects.get()
    # Another form whose key happens to give the same suffix.
    key = uuid.UUID(int=uuid.UUID(form["key"]).int + 27**5 * 7)
    assert naming.suffix_of(key) == naming.suffix_of(uuid.UUID(form["key"]))
    send(dana, form, key=str(key))
    assert Environment.objects.count() == 2
    assert Environment.objects.exclude(pk=taken.pk).get().namespace != taken.namespace


def test_somebody_elses_form_key_gives_nothing_away(client, form, people):
    client.force_login(people[0])
    send(client, form)
    client.force_login(people[1])
    response = send(client, form)
    assert response.status_code == 422
    assert Environment.objects.count() == 1


def test_the_preview_of_a_half_filled_form_shows_what_it_can(dana, form):
    for changes in ({"name": ""}, {"p_cpu": "x"}, {"cluster": ""}, {"key": ""}, {"collaborators": "x"}):
        response = dana.post("/catalog/namespace/preview/", form | changes)
        assert response.status_code == 200
    assert not Environment.objects.exists()


def test_a_template_that_does_not_exist_is_404(dana, form):
    assert dana.get("/catalog/nothing/").status_code == 404
    assert dana.get("/catalog/nothing/request/").status_code == 404
    assert dana.post("/catalog/nothing/preview/", form).status_code == 404
    assert Template.objects.count() == 1
