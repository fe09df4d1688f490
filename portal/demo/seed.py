"""The demo's initial data: clusters, directory, templates, teams, people, and environments with some history."""

import logging
import threading
import time
from datetime import timedelta
from decimal import Decimal

from allauth.socialaccount.models import SocialAccount
from django.core.management import call_command
from django.db import close_old_connections, transaction
from django.db.models import F
from django.utils import timezone

from environments import actions, tasks
from environments.actions import approvals
from environments.catalog import templates as template_actions
from environments.lib import naming
from environments.lib.phases import SETTLED, Role
from environments.models import (
    Cluster,
    Directory,
    Environment,
    Event,
    Group,
    Member,
    NetworkOpening,
    Rate,
    Team,
    Template,
    TemplateVersion,
    User,
)
from environments.spec.openings import parse_lines
from portal import providers
from portal.demo import past
from portal.demo.idp import GROUPS, PEOPLE, IdentityProvider
from portal.demo.places import Place
from portal.roles import apply_claim

logger = logging.getLogger(__name__)

LEFT = "nils"  # had access, and is no longer in the directory
#: owner, template, name, purpose, size, cluster, collaborators, age in days
type Wish = tuple[str, str, str, str, str, int, dict[str, Role], int]

ENVIRONMENTS: tuple[Wish, ...] = (
    ("dana", "namespace", "checkout refunds", "Refund flow, sprint 24", "", 0, {"theo": Role.DEVELOPER}, 97),
    ("dana", "preview", "pr 418", "Review of the new basket", "", 0, {"max": Role.VIEWER}, 1),
    ("theo", "namespace", "payment sandbox", "Trying the new payment provider", "", 0, {LEFT: Role.VIEWER}, 64),
    ("theo", "gpu-namespace", "fraud model", "Weekly training of the fraud model", "medium_with_gpu", 1, {}, 38),
    ("sam", "gpu-namespace", "ranking", "Search ranking experiments", "small", 1, {}, 20),
    ("sam", "namespace", "index rebuild", "Rebuilding the product index", "", 0, {}, 2),
)
#: Requests for a size that needs approval, each with the reason for its rejection; an empty reason leaves it pending.
REQUESTS: tuple[tuple[Wish, str], ...] = (
    (
        (
            "dana",
            "gpu-namespace",
            "recommendations",
            "Training recommendations on all orders",
            "large_with_gpu",
            1,
            {},
            1,
        ),
        "",
    ),
    (
        ("theo", "gpu-namespace", "image search", "A trial on all pictures", "large_with_gpu", 1, {}, 9),
        "Sixteen GPUs are a lot for a trial. Start with the medium size; request more when it is full.",
    ),
)
_LIVED = timedelta(days=12)
_PRICED = timedelta(days=200)
_AGED = ("created_at", "requested_at", "deciders_told_at", "decided_at", "ready_at", "deleted_at")
_WARMING = 8.0  # seconds for the simulated teams to start pods, so that past usage leads up to current usage
_PATIENCE = 60.0  # seconds for the environments to settle before their age is written


def base(provider: IdentityProvider, places: list[Place]) -> None:
    """Create or update clusters, directory, templates, teams and people. Runs at every start."""
    for place in places:
        _cluster(place)
    Cluster.objects.exclude(slug__in=[place.slug for place in places]).update(accepts_new=False)
    Directory.objects.update_or_create(
        name="Example Corp",
        defaults={
            "kind": Directory.Kind.SCIM,
            "url": provider.scim_url,
            "token_url": provider.token_url,
            "client_id": provider.scim_client_id,
            "secret": provider.scim_client_secret,
            "is_default": True,
        },
    )
    if not Template.objects.exists():
        # Tested on both kinds of clusters (tests/contract/test_reference_templates.py): the demo starts without delay.
        call_command("import_templates", without_check=True, verbosity=0, stdout=_Silence())
        _have_the_most_gpus_approved()
    _team("Checkout", "checkout", "CC-1042")
    _team("Search", "search", "CC-2071")
    for person in PEOPLE:
        _person(*person[:3])


def history() -> None:
    """At the first start, provision some environments for real, then move their history into the past."""
    if Environment.objects.exists():
        return
    clusters = list(Cluster.objects.filter(accepts_new=True).order_by("slug"))
    _rates(clusters)
    _openings(clusters)
    made = [(_environment(row, clusters), row[-1]) for row in ENVIRONMENTS]
    made += [(_request(row, clusters, note), row[-1]) for row, note in REQUESTS]
    threading.Thread(target=_age_all, args=(made,), name="history", daemon=True).start()


def _rates(clusters: list[Cluster]) -> None:
    """Create each cluster's rates: one from before the first environment, and a higher one since mid last month."""
    today = timezone.now().date()
    raised = (today.replace(day=1) - timedelta(days=1)).replace(day=15)
    for number, cluster in enumerate(clusters):
        cpu, memory = Decimal("0.024") + number * Decimal("0.004"), Decimal("0.0032")
        for starts_on, factor in ((today - _PRICED, 1), (raised, Decimal("1.05"))):
            Rate.objects.create(
                cluster=cluster,
                starts_on=starts_on,
                cpu_hour=cpu * factor,
                memory_hour=memory * factor,
                storage_hour=Decimal("0.00012") * factor,
                gpu_hour=Decimal("0.95") * factor,
            )


def _openings(clusters: list[Cluster]) -> None:
    """Create what environments can ask to reach: at once, after an approval, and decided by platform admins."""
    offers = (
        (
            "internet-https",
            "Internet on port 443",
            "Package registries and web APIs.",
            "0.0.0.0/0 443",
            "approvers",
            30,
        ),
        ("orders-database", "Orders database", "PostgreSQL of the order service.", "10.20.0.5/32 5432", "admins", None),
        (
            "tracing",
            "Tracing",
            "Sends traces to the collector.",
            "kubernetes.io/metadata.name=tracing 4317",
            "nobody",
            None,
        ),
    )
    for cluster in clusters:
        for slug, name, description, lines, decider, days in offers:
            rules = parse_lines(lines).model_dump(mode="json")
            fields = {"description": description, "destinations": rules, "decider": decider, "days": days}
            NetworkOpening.objects.create(cluster=cluster, slug=slug, name=name, **fields)


def _cluster(place: Place) -> None:
    values = {
        "name": place.name,
        "description": place.description,
        "credential_kind": place.credential_kind,
        "credential": place.credential,
        "server": place.server,
        "certificate_authority": place.certificate_authority,
        "is_simulated": place.is_simulated,
        "accepts_new": True,
    }
    Cluster.objects.update_or_create(slug=place.slug, defaults=values)


def _team(name: str, slug: str, cost_centre: str) -> None:
    groups = {"group": f"team-{slug}", "manager_group": f"team-{slug}-managers", "cost_centre": cost_centre}
    Team.objects.update_or_create(name=name, defaults=groups)


def _person(username: str, first_name: str, last_name: str) -> None:
    """Create an account as a first sign-in would."""
    email = f"{username}@example.com"
    names = {"username": username, "first_name": first_name, "last_name": last_name}
    user, is_new = User.objects.get_or_create(email=email, defaults=names)
    if is_new:
        user.set_unusable_password()
        user.save()
        provider = providers.configured()[0]
        key = {"provider": provider.id, "issuer": provider.issuer, "subject": username}
        User.objects.filter(pk=user.pk).update(**key, claimed_email=email, claimed_username=username)
        token = {"iss": provider.issuer, "sub": username}
        SocialAccount.objects.create(user=user, provider=provider.id, uid=username, extra_data={"id_token": token})
        apply_claim(user, [group for group, members in GROUPS.items() if username in members], provider)


def _environment(row: Wish, clusters: list[Cluster]) -> Environment:
    owner_name, template, name, purpose, size, place, collaborators, _ = row
    owner = User.objects.get(username=owner_name)
    version = TemplateVersion.objects.get(template__slug=template, state=TemplateVersion.State.PUBLISHED)
    request = actions.Draft(
        version=version,
        name=name,
        purpose=purpose,
        cluster=clusters[place % len(clusters)],
        size=size,
        parameters={parameter.name: parameter.default for parameter in version.parsed().parameters},
        team=owner.teams.first(),
        collaborators={f"{username}@example.com": role for username, role in collaborators.items() if username != LEFT},
    )
    with transaction.atomic():
        environment = actions.request_environment(owner, request)
        if LEFT in collaborators:
            _had_access(environment, collaborators[LEFT])
    return environment


def _had_access(environment: Environment, role: Role) -> None:
    """Add a member who left the directory since: the forms refuse people whom it does not know."""
    Member.objects.create(environment=environment, email=f"{LEFT}@example.com", role=role, added_by=environment.owner)
    name = naming.group({}, environment.namespace, role)
    Group.objects.get_or_create(environment=environment, role=role, defaults={"name": name})


def _request(row: Wish, clusters: list[Cluster], note: str) -> Environment:
    environment = _environment(row, clusters)
    if note:
        approvals.reject(environment, User.objects.get(username="max"), note)
    return environment


def _have_the_most_gpus_approved() -> None:
    """Publish a second version of the GPU template, in which the largest size needs approval."""
    template = Template.objects.get(slug="gpu-namespace")
    draft = template_actions.new_draft(template.versions.get(), None)
    spec = draft.parsed()
    *others, largest = spec.sizes
    sizes = (*others, largest.model_copy(update={"approval": True}))
    changelog = "The largest size needs approval."
    template_actions.save_draft(draft, spec.model_copy(update={"sizes": sizes}), changelog, None)
    template_actions.publish(draft, None)


def _age_all(made: list[tuple[Environment, int]]) -> None:
    """Wait until all are provisioned, move their history into the past, and add usage for the time since."""
    end = time.monotonic() + _PATIENCE
    ids = [environment.pk for environment, _ in made]
    while time.monotonic() < end and Environment.objects.filter(pk__in=ids).exclude(phase__in=SETTLED).exists():
        time.sleep(0.2)
    for environment, days in made:
        _age(environment, timedelta(days=days))
    time.sleep(_WARMING)
    tasks.observe_clusters.delay()
    time.sleep(1)
    for environment in Environment.objects.granted().filter(pk__in=ids):
        past.write(environment)
    past.roll_up(timezone.now() - past.LONGEST, timezone.now())
    close_old_connections()


def _age(environment: Environment, days: timedelta) -> None:
    lived = min(days / 2, _LIVED)  # the time since the last extension
    Environment.objects.filter(pk=environment.pk).update(
        **{name: F(name) - days for name in _AGED}, ends_at=F("ends_at") - lived
    )
    Event.objects.filter(environment=environment).update(at=F("at") - days)
    environment.conditions.update(last_transition_at=F("last_transition_at") - days)
    environment.members.update(added_at=F("added_at") - days)


class _Silence:
    """A stream that drops its output."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)
