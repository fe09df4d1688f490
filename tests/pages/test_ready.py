"""The moment an environment is ready, and who gets the way into its namespace."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import AccessRequest, Cluster, Environment, Event
from environments.routine import notices
from tests.pages.reading import one, read, words


@pytest.fixture
def page(client):
    """Look at an environment as somebody."""

    def get(environment, user):
        client.force_login(user)
        return read(client.get(f"/environments/{environment.namespace}/"))

    return get


@pytest.fixture
def send(client):
    """Send a form of an environment's page as somebody; the page that follows."""

    def post(environment, user, action, **sent):
        client.force_login(user)
        return client.post(f"/environments/{environment.namespace}/{action}/", sent, follow=True)

    return post


def messages(response):
    return [words(node) for node in read(response).select("main > .notice:not([hidden])")]


def grow_old(environment):
    """Everybody has had access for a week."""
    long_ago = timezone.now() - timedelta(days=7)
    Environment.objects.filter(pk=environment.pk).update(ready_at=long_ago)
    environment.members.update(added_at=long_ago)


class TestTheFinishLine:
    def test_it_has_the_download_the_test_and_what_to_do_next(self, page, dana, make_environment):
        environment = make_environment()
        card = one(page(environment, dana), ".finish")
        assert [words(heading) for heading in card.select("h2, h3")] == [
            "Ready to use",
            "Download your file",
            "Test it",
            "Start",
        ]
        assert "Personal to you, valid for 8 hours." in words(card)
        assert [link["href"].split("/")[-2] for link in card.select("a")] == ["kubeconfig", "members", "alerts"]

    def test_the_download_is_one_click_and_sends_what_the_kubeconfig_page_sends(self, page, dana, make_environment):
        environment = make_environment()
        soup = page(environment, dana)
        form = one(soup, f"form#{one(soup, '#download-kubeconfig')['form']}")
        assert form["action"] == f"/environments/{environment.namespace}/kubeconfig/token/"
        assert one(form, "input[name=hours]")["value"] == "8"
        assert one(form, "input[name=csrfmiddlewaretoken]")

    def test_no_token_is_offered_for_longer_than_the_cluster_allows(self, page, dana, make_environment):
        environment = make_environment()
        Cluster.objects.update(max_token_hours=1)
        soup = page(environment, dana)
        assert one(soup, "#download input[name=hours]")["value"] == "1"
        assert "valid for 1 hour." in words(one(soup, ".finish"))

    def test_where_people_sign_in_to_the_cluster_the_file_is_a_link(self, page, dana, make_environment):
        environment = make_environment()
        Cluster.objects.update(access=Cluster.Access.OIDC)
        soup = page(environment, dana)
        assert one(soup, "#download-kubeconfig")["href"] == f"/environments/{environment.namespace}/kubeconfig/oidc/"
        assert soup.select("form#download") == []

    @pytest.mark.parametrize(("role", "verb"), [(Role.DEVELOPER, "create"), (Role.VIEWER, "get")])
    def test_the_test_asks_for_what_the_role_may(self, page, theo, make_environment, role, verb):
        environment = make_environment(members={theo.email: role})
        soup = page(environment, theo)
        assert one(soup, "#use-lines").get_text().splitlines() == [
            f"export KUBECONFIG=~/Downloads/{environment.namespace}.kubeconfig",
            f"kubectl auth can-i {verb} pods",
        ]
        assert one(soup, "[data-copy=use-lines]")

    def test_a_member_whose_access_is_not_verified_gets_no_button_that_would_be_refused(
        self, page, theo, make_environment
    ):
        environment = make_environment(members={theo.email: Role.DEVELOPER})
        environment.members.filter(email=theo.email).update(allowed=None)
        soup = page(environment, theo)
        assert "Your access is being set up." in words(one(soup, ".finish"))
        assert soup.select("#download-kubeconfig") == []

    def test_after_a_day_it_steps_aside_and_somebody_new_still_gets_it(self, page, dana, theo, make_environment):
        environment = make_environment(members={theo.email: Role.DEVELOPER})
        grow_old(environment)
        soup = page(environment, dana)
        assert soup.select(".finish") == []
        assert words(one(soup, "#use-title")) == "Connect"
        assert words(one(soup, "#use-look")) == "kubectl get deployments,pods,services"
        assert words(one(soup, "#get-kubeconfig")) == "Get kubeconfig"
        environment.members.filter(email=theo.email).update(added_at=timezone.now())
        assert one(page(environment, theo), ".finish")

    @pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.FAILED, Phase.DELETING, Phase.DELETED])
    def test_before_and_after_there_is_nothing_to_download(self, page, dana, make_environment, phase):
        soup = page(make_environment(phase=phase), dana)
        assert soup.select(".finish, #use-lines, #download-kubeconfig") == []


class TestRequestingAccess:
    def test_a_teammate_sees_no_commands_and_a_button_that_asks(self, page, theo, make_environment):
        soup = page(make_environment(), theo)
        assert soup.select("#use-lines, #download-kubeconfig, #get-kubeconfig") == []
        assert "Dana Example can give you developer access." in words(one(soup, "[aria-labelledby=ask-title]"))
        assert one(soup, "#ask-access")["form"] == "request-access"

    def test_asking_tells_the_owner_once(self, page, send, dana, theo, make_environment):
        environment = make_environment()
        assert messages(send(environment, theo, "access/request")) == ["Access requested. We'll email Dana Example."]
        send(environment, theo, "access/request")
        event = environment.events.get(kind=Activity.ACCESS_REQUESTED)
        assert (event.actor, event.notice_owed) == (theo, True)
        assert "You requested access just now" in words(one(page(environment, theo), "[aria-labelledby=ask-title]"))
        assert words(one(page(environment, dana), "#live > .notice.wait").div).startswith(
            "Theo Example requests access. theo@example.com,"
        )

    def test_the_owner_gives_access_with_one_click(self, page, send, dana, theo, make_environment):
        environment = make_environment()
        send(environment, theo, "access/request")
        button = one(page(environment, dana), f"#grant-{theo.pk}")
        assert words(button) == "Grant developer access to Theo Example"
        answer = send(environment, dana, "access/grant", **{button["name"]: button["value"]})
        assert messages(answer) == ["Theo Example has the role developer within seconds."]
        assert environment.members.get(email=theo.email).role == Role.DEVELOPER
        assert not AccessRequest.objects.exists()

    def test_the_owner_declines_and_the_person_is_told(self, page, send, dana, theo, make_environment):
        environment = make_environment()
        send(environment, theo, "access/request")
        button = one(page(environment, dana), f"#decline-{theo.pk}")
        assert button["formaction"].endswith("/access/decline/")
        answer = send(environment, dana, "access/decline", person=theo.pk)
        assert messages(answer) == ["Request declined. We'll email Theo Example."]
        assert not environment.members.filter(email=theo.email).exists()
        event = environment.events.get(kind=Activity.ACCESS_DECLINED)
        assert (event.data, event.notice_owed) == ({"person": theo.email}, True)
        assert one(page(environment, theo), "#ask-access")

    def test_the_mails_go_to_the_one_who_has_to_know(self, send, dana, theo, make_environment):
        environment = make_environment()
        send(environment, theo, "access/request")
        send(environment, dana, "access/decline", person=theo.pk)
        environment.members.create(email=theo.email, role=Role.VIEWER)
        send(environment, theo, "members/leave")
        notices.deliver(*Event.objects.filter(notice_owed=True).values_list("pk", flat=True))
        sent = {message.subject.partition("] ")[2]: message for message in mail.outbox}
        asked = sent["Someone requests access to Checkout refunds"]
        assert (asked.to, asked.bcc) == ([dana.email], [])
        assert "Theo Example (theo@example.com) requests access" in asked.body
        assert f"/environments/{environment.namespace}/members/" in asked.body
        declined = sent["Your request for access to Checkout refunds was declined"]
        assert (declined.to, declined.bcc) == ([theo.email], [])
        left = sent["A member left Checkout refunds"]
        assert (left.to, "no longer has access" in left.body) == ([dana.email], True)
        assert not Event.objects.filter(notice_owed=True).exists()

    @pytest.mark.parametrize("person", ["", "x", "0", "99999999999999999999999999", "-1"])
    @pytest.mark.parametrize("action", ["grant", "decline"])
    def test_an_answer_to_nobodys_request_changes_nothing(self, send, dana, make_environment, action, person):
        environment = make_environment()
        answer = send(environment, dana, f"access/{action}", person=person)
        assert messages(answer) == ["This request for access has been answered already."]
        assert environment.members.count() == 1

    def test_only_those_who_can_change_the_environment_answer(
        self, send, page, theo, max_manager, sam, make_environment
    ):
        environment = make_environment()
        send(environment, theo, "access/request")
        for user, status in ((theo, 403), (max_manager, 403), (sam, 404)):
            assert send(environment, user, "access/grant", person=theo.pk).status_code == status
            assert send(environment, user, "access/decline", person=theo.pk).status_code == status
        assert page(environment, max_manager).select(f"#grant-{theo.pk}") == []
        assert send(environment, sam, "access/request").status_code == 404

    def test_a_person_who_was_added_another_way_has_no_request_any_more(self, send, dana, theo, make_environment):
        environment = make_environment()
        send(environment, theo, "access/request")
        send(environment, dana, "members", addresses=theo.email, role="viewer")
        assert environment.members.get(email=theo.email).role == Role.VIEWER
        assert not AccessRequest.objects.exists()

    def test_it_is_not_offered_if_the_template_gives_no_role(self, page, send, theo, make_environment):
        environment = make_environment()
        Environment.objects.update(spec=environment.spec | {"collaborator_roles": []})
        assert page(environment, theo).select("#ask-access") == []
        assert messages(send(environment, theo, "access/request")) == ["This template allows no collaborators."]

    def test_the_people_page_shows_the_requests_too(self, client, send, dana, theo, make_environment):
        environment = make_environment()
        send(environment, theo, "access/request")
        client.force_login(dana)
        soup = read(client.get(f"/environments/{environment.namespace}/members/"))
        assert one(soup, f"#grant-{theo.pk}")["form"] == one(soup, "form#grant-access")["id"]


class TestLeaving:
    def test_members_can_leave_and_the_owner_is_told(self, page, send, client, theo, make_environment):
        environment = make_environment(members={theo.email: Role.DEVELOPER})
        link = one(page(environment, theo), "#leave")
        assert "Dana Example gets an email" in words(read(client.get(link["href"])).main)
        assert environment.members.get(email=theo.email).wanted
        assert messages(send(environment, theo, "members/leave")) == [
            "You left Checkout refunds. We'll email Dana Example."
        ]
        assert not environment.members.get(email=theo.email).wanted
        assert Environment.objects.get().generation == 2  # a reconcile is owed
        event = environment.events.get(kind=Activity.MEMBER_LEFT)
        assert (event.actor, event.notice_owed) == (theo, True)

    def test_who_no_longer_sees_it_gets_the_list(self, send, sam, make_environment):
        environment = make_environment(members={sam.email: Role.VIEWER})
        response = send(environment, sam, "members/leave")
        assert response.redirect_chain == [("/environments/", 302)]

    def test_the_owner_cannot(self, page, send, dana, make_environment):
        environment = make_environment()
        assert page(environment, dana).select("#leave") == []
        answer = send(environment, dana, "members/leave")
        assert messages(answer) == ["The owner can't leave. Hand the environment over, or delete it."]
        assert environment.members.get().wanted

    def test_who_is_no_member_has_nothing_to_leave(self, page, send, theo, make_environment):
        environment = make_environment()
        assert page(environment, theo).select("#leave") == []
        assert send(environment, theo, "members/leave").status_code == 403
        assert Event.objects.count() == 1
