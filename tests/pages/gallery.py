"""A world with something of everything in it, for tests that look at every page: see `visits.py`."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import changes as change_actions
from environments.actions import ends, openings, resizing
from environments.catalog.files import read
from environments.kube.client import ClusterClient
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.management.commands.import_templates import SEEDS
from environments.models import (
    AccessRequest,
    Change,
    Cluster,
    ClusterVerdict,
    Condition,
    Environment,
    Event,
    GroupMember,
    Invitation,
    NetworkOpening,
    PublishCheck,
    Rate,
    StandIn,
    Stranger,
    Team,
    TemplateVersion,
    User,
)
from environments.reconcile import drift
from environments.reconcile.drift import Cause, Entry
from environments.spec.openings import parse_lines
from portal.demo import past
from portal.demo.simulated import SimulatedCluster
from tests import makers
from tests.arranging import Account
from tests.contract.arrange import namespace, pod
from tests.makers import MakeEnvironment
from tests.portal.local_people import local, with_app, with_passkey
from tests.templates import publish

HISTORY = timedelta(days=40)  # of usage: several days, weeks and months
CRASHING = {"name": "main", "image": "app:1", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
USAGE = {
    "requests.cpu": ["970m", "1"],
    "requests.memory": ["1700Mi", "2Gi"],
    "pods": ["12", "50"],
    "services": ["3", "10"],
    "requests.nvidia.com/gpu": ["1", "2"],
}
DRIFT = [
    Entry("NetworkPolicy", "deny-all", manager="kubectl", since="2026-01-05T10:00:00+00:00", loosens=True),
    Entry("ResourceQuota", "environment-quota", "spec.hard.pods", "50", "500", manager="kubectl"),
    Entry("Deployment", "web", "spec.replicas", "1", "2", cause=Cause.CLUSTER),
]


@dataclass
class World:
    """Who looks, and what is there to look at."""

    people: dict[str, User]
    environments: dict[str, Environment]
    draft: TemplateVersion
    invitation: Invitation

    @property
    def main(self) -> Environment:
        """The environment with something on each of its pages."""
        return self.environments["ready"]

    @property
    def change(self) -> Change:
        """A change that waits for a decision."""
        return Change.objects.waiting().filter(environment=self.main).earliest("pk")

    def row(self, model: type[Model]) -> Model:
        """The row of a model whose page has the most on it."""
        main = self.main
        for row in (main, main.cluster, main.directory, main.team, main.version.template, self.draft, main.owner):
            if isinstance(row, model):
                return row
        return model._default_manager.order_by("pk")[0]


def build(simulated: SimulatedCluster, mail_folder: Path) -> World:
    """Fill the record, the cluster and the folder of messages."""
    (mail_folder / "one.log").write_text("Subject: Ready\nTo: dana@example.com\n\nIt is ready.\n")
    team = makers.make_team()
    people = {"owner": makers.make_dana(team), "admin": makers.make_ada()}
    makers.make_theo(team)
    people["manager"] = makers.person("max", "Max", is_manager=True)
    team.managers.add(people["manager"])
    for name in sorted(SEEDS.glob("*.yaml")):
        publish(read(name))
    version = makers.make_template("sandbox", spec=makers.spec_needing_approval())
    cluster = Cluster.objects.create(
        slug="amsterdam",
        name="Amsterdam",
        server=simulated.url,
        credential=simulated.portal_token,
        is_simulated=True,
    )
    make = makers.environment_maker(people["owner"], team, cluster, makers.make_directory(), version)
    environments = _environments(make, people)
    _run_on(simulated, environments["ready"])
    draft = _newer_versions(version)
    _changes(environments, people)
    _remember(environments, team)
    last_day = timezone.now().date() + timedelta(days=9)
    StandIn.objects.create(absent=people["manager"], person=people["owner"], last_day=last_day)
    return World(people, environments, draft, _account_rows(people, team, cluster))


def _environments(make: MakeEnvironment, people: dict[str, User]) -> dict[str, Environment]:
    now, aged = timezone.now(), {"created_at": timezone.now() - HISTORY, "requested_at": timezone.now() - HISTORY}
    decided = {"decided_at": now, "decided_by": people["manager"], "decision_note": "Use the small one."}
    members = {"theo@example.com": Role.DEVELOPER, "nils@example.com": Role.VIEWER}
    waits = {"status": Status.WAITING, "message": "Slow down.", "attempts": 2, "next_try_at": now + timedelta(hours=1)}
    fails = {"status": Status.FAILED, "message": "quota.exceeded: no room", "attempts": 5}
    far = Cluster.objects.create(slug="oslo", name="Oslo", server="https://oslo.example.com", access="oidc")
    Cluster.objects.filter(pk=far.pk).update(
        oidc_issuer="https://idp.example.com", oidc_client_id="kubernetes", username_prefix="oidc:"
    )
    far.refresh_from_db()
    ending = {"ends_at": now + timedelta(days=2), "drift": drift.as_data(DRIFT), "purpose": "Refund flow, sprint 24"}
    return {
        "ready": make(usage=USAGE, members=members, **ending, **aged, **decided),
        "sign-in": make(name="Sign-in by OIDC", cluster=far, members=members, **aged),
        "degraded": make(
            phase=Phase.DEGRADED, name="Load tests", usage={"pods": ["1", "25"]}, conditions={"Quota": fails}, **aged
        ),
        "provisioning": make(
            phase=Phase.PROVISIONING, name="Search", conditions={"Group": waits, "Members": {"status": Status.PENDING}}
        ),
        "failed": make(phase=Phase.FAILED, name="Fraud model", conditions={"Namespace": fails}),
        "waiting": make(phase=Phase.AWAITING_APPROVAL, name="Big one", size="large", members=members, requested_at=now),
        "rejected": make(phase=Phase.REJECTED, name="Too big", size="large", wanted=False, requested_at=now, **decided),
        "deleting": make(phase=Phase.DELETING, name="Old one", conditions={"Namespace": waits}),
        "deleted": make(phase=Phase.DELETED, name="Older one", **aged),
        "orphaned": make(
            name="Left behind", orphaned_at=now, orphaned_why="Its owner left.", usage={"pods": ["0", "9"]}
        ),
    }


def _run_on(simulated: SimulatedCluster, environment: Environment) -> None:
    """A namespace on the simulated cluster, with a pod that runs and one that ends again and again."""
    admin = ClusterClient(Account(simulated.url, simulated.admin_token))
    environment.namespace_uid = admin.create(namespace(environment.namespace))["metadata"]["uid"]
    environment.save()
    for name in ("api", "worker"):
        admin.create(pod(environment.namespace, name))
    simulated.set_status("Pod", environment.namespace, "api", {"phase": "Running", "containerStatuses": [CRASHING]})


def _changes(environments: dict[str, Environment], people: dict[str, User]) -> None:
    """A larger size and a later end that wait for a decision, and a change that was rejected."""
    row, owner = environments["ready"], people["owner"]
    resizing.resize(row, owner, "large", {"cost_centre": "1040"}, reason="Load tests.")
    last_day = (timezone.now() + timedelta(days=90)).date()
    ends.ask_for_end(row, owner, last_day, reason="The trial takes longer.")
    rules = parse_lines("10.20.0.5/32 5432\nteam=payments").model_dump(mode="json")
    for slug, decider in (("database", "nobody"), ("internet", "approvers")):
        offer = {"slug": slug, "name": slug.title(), "destinations": rules, "days": 7, "decider": decider}
        opening = NetworkOpening.objects.create(cluster=row.cluster, **offer)
        openings.ask_to_open(row, opening, owner)
    row.refresh_from_db()
    other = environments["degraded"]
    change = resizing.resize(other, owner, "large", {"cost_centre": "1040"})
    change_actions.reject(change, people["manager"], "Use two small ones.")


def _newer_versions(version: TemplateVersion) -> TemplateVersion:
    """A second version that is published instead of the first, and a draft after it."""
    TemplateVersion.objects.filter(pk=version.pk).update(state=TemplateVersion.State.RETIRED)
    states = TemplateVersion.State
    changed = makers.spec_needing_approval() | {"lifetime_days": 14}
    spec = template_spec.dump(template_spec.parse(changed))
    now, template = timezone.now(), version.template
    TemplateVersion.objects.create(template=template, number=2, state=states.PUBLISHED, spec=spec, published_at=now)
    draft = TemplateVersion.objects.create(template=template, number=3, state=states.DRAFT, spec=spec)
    check = PublishCheck.objects.create(version=draft, digest="d", asked_by=None)
    ClusterVerdict.objects.create(check_of=check, cluster=Cluster.objects.earliest("pk"))
    return draft


def _remember(environments: dict[str, Environment], team: Team) -> None:
    """Activity of every kind, usage, a request for access, and what the usage cost."""
    first = environments["ready"]
    for kind in Activity:
        Event.objects.create(environment=first, actor=first.owner, kind=kind, message="It happened.")
    tess = makers.person("tess", "Tess")
    team.members.add(tess)
    AccessRequest.objects.create(environment=first, person=tess)
    _share(first, first.owner)
    for name in ("ready", "degraded", "deleted"):
        past.write(environments[name])
    past.roll_up(timezone.now() - HISTORY, timezone.now())
    begin = (timezone.now() - 2 * HISTORY).date()
    Rate.objects.create(cluster=first.cluster, starts_on=begin, cpu_hour="0.02", memory_hour="0.005")
    Condition.objects.filter(environment=first).update(duration_ms=1200)


def _account_rows(people: dict[str, User], team: Team, cluster: Cluster) -> Invitation:
    """What the admin's history and local accounts have rows of. Paul has a password, Lena an app and a passkey too."""
    people["password"] = local(makers.person("paul", "Paul"))
    people["local"] = with_passkey(with_app(makers.person("lena", "Lena")))
    LogEntry.objects.create(
        user=people["admin"],
        content_type=ContentType.objects.get_for_model(Cluster),
        object_id=cluster.pk,
        object_repr="Amsterdam",
        action_flag=CHANGE,
    )
    later = timezone.now() + timedelta(days=2)
    invitation = Invitation.objects.create(email="new@example.com", invited_by=people["admin"], expires_at=later)
    invitation.teams.add(team)
    return invitation


def _share(environment: Environment, by: User) -> None:
    """Groups and a team as members, as they are and as something is wrong, and a person whom others added."""
    of = {"environment": environment, "added_by": by}
    good = {"present": True, "bound": True, "allowed": True, "size": 12}
    GroupMember.objects.create(name="payments", directory_id="g1", role=Role.DEVELOPER, **of, **good)
    gone = {"present": False, "bound": False, "allowed": False, "message": "The directory no longer has the group."}
    GroupMember.objects.create(name="former", directory_id="g2", role=Role.VIEWER, **of, **gone)
    team = Team.objects.order_by("pk").first()
    GroupMember.objects.create(name="team", team=team, role=Role.VIEWER, size=3, present=True, **of)
    Stranger.objects.create(environment=environment, role=Role.ADMIN, directory_id="u9", email="nina@example.com")
