"""What must be true in the end, whatever happened: each violation a sentence."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.kube import differing, manifests
from environments.kube.client import ClusterClient, Manifest, Question
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.phases import CLUSTER_ROLES, Phase, Role, Status
from environments.models import Environment
from environments.reconcile import desired
from tests.faults.asks import PEOPLE, Accepted, Ledger
from tests.faults.places import DOMAIN, LABEL, DirectorySeen, Foreign, GroupSeen, labelled

_PROOF = {Role.ADMIN: ("create", "secrets", ""), Role.DEVELOPER: ("create", "deployments", "apps")}


@dataclass
class World:
    """Everything as it is, read once."""

    objects: dict[str, dict[tuple[str, str], Manifest]]  # by environment id, then by kind and name
    namespaces: set[str]
    groups: list[GroupSeen]


def look(admin: ClusterClient, directory: DirectorySeen) -> World:
    objects: dict[str, dict[tuple[str, str], Manifest]] = defaultdict(dict)
    for item in labelled(admin):
        metadata = item["metadata"]
        objects[metadata["labels"][LABEL]][item["kind"], metadata["name"]] = item
    namespaces = {item["metadata"]["name"] for item in admin.list_objects("Namespace")}
    return World(objects, namespaces, directory.groups())


def violations(
    ledger: Ledger, admin: ClusterClient, directory: DirectorySeen, foreign: Foreign, mails: Path | None = None
) -> list[str]:
    """Everything that is not as it must be; empty where all is well."""
    world = look(admin, directory)
    rows = {
        str(row.pk): row for row in Environment.objects.select_related("owner", "team", "version__template", "cluster")
    }
    found = [f"{name}: an environment that nobody asked for" for name in rows.keys() - ledger.environments.keys()]
    for pk, accepted in ledger.environments.items():
        if pk not in rows:
            found.append(f"{accepted.namespace}: what was asked for is lost")
            continue
        checks = (_kept(accepted, rows[pk]), _told(accepted, rows[pk], mails), _true(accepted, rows[pk], world, admin))
        found += [f"{accepted.namespace}: {line}" for check in checks for line in check]
    return [*found, *_owned(world, rows, foreign), *_single(world), *foreign.differences()]


def settled(accepted: Accepted, row: Environment) -> bool:
    """Whether an environment is where it has to end, with nothing owed."""
    phase = Phase.FAILED if accepted.refused_by else Phase.READY if accepted.wanted else Phase.DELETED
    return row.phase == phase and row.observed_generation >= row.generation


def _kept(accepted: Accepted, row: Environment) -> Iterator[str]:
    """What was accepted is what the record says."""
    if not settled(accepted, row) or row.lease:
        owed = f"generation {row.observed_generation} of {row.generation}, lease until {row.lease_until}"
        conditions = ", ".join(f"{one.type} {one.status} {one.reason}" for one in row.conditions.all())
        yield f"not settled: {row.phase}, wanted {row.wanted}, {owed}, next {row.next_reconcile_at}; {conditions}"
    pairs = [
        ("wanted", row.wanted, accepted.wanted),
        ("owner", row.owner.email, accepted.owner),
        ("version", row.version.number, accepted.version),
        ("extensions", row.extensions, accepted.extensions),
    ]
    members = {one.email: Role(one.role) for one in row.members.all() if one.wanted}
    yield from (f"{name} is {is_}, not {must}" for name, is_, must in pairs if is_ != must)
    if members != accepted.members:
        yield f"members are {members}, not {accepted.members}"
    leaving = [one.email for one in row.members.all() if not one.wanted and one.in_group is not False]
    if leaving and accepted.wanted and not accepted.refused_by:
        yield f"still on their way out: {leaving}"


def _told(accepted: Accepted, row: Environment, mails: Path | None) -> Iterator[str]:
    """Each thing that happened is in the history once; mails may come twice, never not at all."""
    kinds = Counter(row.events.values_list("kind", flat=True))
    expected = {Activity.REQUESTED: 1, Activity.OWNER_CHANGED: accepted.handovers}
    expected |= {Activity.EXTENDED: accepted.extensions, Activity.VERSION_CHANGED: accepted.moves}
    expected |= dict.fromkeys((Activity.DELETION_REQUESTED, Activity.DELETED), int(not accepted.wanted))
    expected[Activity.READY] = int(row.ready_at is not None)
    yield from (f"{kinds[kind]} events {kind}, not {count}" for kind, count in expected.items() if kinds[kind] != count)
    if row.events.filter(notice_owed=True).exists():
        yield "a message is still owed"
    if mails is not None:
        texts = [path.read_text() for path in mails.glob("*.log")]
        for kind, words in ((Activity.READY, "is ready"), (Activity.DELETED, "was deleted")):
            subject = f"] Environment {row.name} {words}\n"
            if kinds[kind] and not any(f"Subject: [Allotment{subject}" in text for text in texts):
                yield f"the message “{words}” was lost"


def _true(accepted: Accepted, row: Environment, world: World, admin: ClusterClient) -> Iterator[str]:
    """Its phase is what cluster and directory say."""
    if row.phase == Phase.DELETED:
        yield from _nothing_left(row, world)
    elif row.phase == Phase.READY:
        yield from _objects(row, world)
        yield from _groups(row, world)
        yield from _access(row, admin)
    elif row.phase == Phase.FAILED and accepted.refused_by:
        condition = row.conditions.get(type=accepted.refused_by)
        if (condition.status, condition.reason) != (Status.FAILED, "NotOurs"):
            yield f"{condition.type} is {condition.status} ({condition.reason}), not refused as somebody else's"
        if accepted.refused_by == "Namespace" and world.objects.get(str(row.pk)):
            yield f"refused, and there is {sorted(world.objects[str(row.pk)])}"


def _nothing_left(row: Environment, world: World) -> Iterator[str]:
    left = sorted(world.objects.get(str(row.pk), {}))
    if left:
        yield f"Deleted, and there is still {left}"
    groups = [group.name for group in world.groups if group.external_id.startswith(str(row.pk)) or _named(row, group)]
    if groups:
        yield f"Deleted, and there are still the groups {groups}"


def _named(row: Environment, group: GroupSeen) -> bool:
    return not group.external_id and group.name in set(row.groups.values_list("name", flat=True))


def _objects(row: Environment, world: World) -> Iterator[str]:
    """Every object as wanted, and none of ours besides."""
    live = world.objects.get(str(row.pk), {})
    wanted = {
        (item["kind"], item["metadata"]["name"]): item
        for item in manifests.all_manifests(desired.desired_with_bindings(row))
    }
    for key, item in wanted.items():
        if key not in live:
            if key != ("ServiceAccount", "default"):
                yield f"Ready without {key}"
            continue
        yield from map(str, differing.differences(item, live[key], DOMAIN))
        if (
            key[0] == "RoleBinding"
            and key[1] in CLUSTER_ROLES.values()
            and len(live[key]["subjects"]) != len(item["subjects"])
        ):
            yield f"{key} binds {[one['name'] for one in live[key]['subjects']]}"
    accounts = {("ServiceAccount", naming.account(str(row.pk), one.email)) for one in _insiders(row) if one.has_account}
    made = {key for key in live if key[0] in ("ReplicaSet", "Pod")}  # the cluster's own controllers
    portal = {("RoleBinding", manifests.PORTAL_BINDING)} if _has_own(wanted) else set()
    extra = set(live) - set(wanted) - accounts - portal - made
    if extra:
        yield f"Ready with {sorted(extra)} that nobody wants"
    if accounts - set(live):
        yield f"Ready without the accounts {sorted(accounts - set(live))}"


def _has_own(wanted: dict[tuple[str, str], Any]) -> bool:
    return any(manifests.is_extra(item, DOMAIN) for item in wanted.values())


def _insiders(row: Environment) -> list[Any]:
    return [one for one in row.members.all() if one.wanted]


def _groups(row: Environment, world: World) -> Iterator[str]:
    """The directory has the wanted members, each once, and nobody else."""
    for group in row.groups.all():
        seen = [one for one in world.groups if one.name == group.name]
        wanted = sorted(one.email for one in _insiders(row) if one.role == group.role)
        if [sorted(one.members) for one in seen] != ([wanted] if wanted else []):
            yield f"group {group.name} is {[one.members for one in seen]}, not {wanted}"


def _access(row: Environment, admin: ClusterClient) -> Iterator[str]:
    """The cluster says yes to every member, by name and by group, and no to everybody else."""
    names = desired.naming(row.cluster)
    members = {one.email: Role(one.role) for one in _insiders(row)}
    groups = {group.role: names.group(group.name) for group in row.groups.all()}
    for email, role in members.items():
        verb, resource, group = _PROOF.get(role, ("get", "pods", ""))
        question = Question(verb, resource, group, row.namespace)
        if not admin.may(question, names.username_prefix + email, ["system:authenticated"]).allowed:
            yield f"Ready, and {email} may not {question} by name"
        if not admin.may(question, "another", [groups[role], "system:authenticated"]).allowed:
            yield f"Ready, and the group of {email} may not {question}"
        is_admin = admin.may(Question("create", "secrets", "", row.namespace), email, ["system:authenticated"]).allowed
        if is_admin and role != Role.ADMIN:
            yield f"{email} may do more than {role.value}"
    for email in set(PEOPLE) - set(members):
        if admin.may(Question("get", "pods", "", row.namespace), email, ["system:authenticated"]).allowed:
            yield f"{email} still has access"


def _owned(world: World, rows: dict[str, Environment], foreign: Foreign) -> Iterator[str]:
    """Nothing of ours is without an environment that wants it."""
    theirs = {"theirs-with-our-labels", foreign.account_namespace}
    for pk, objects in world.objects.items():
        if pk not in rows:
            strange = [key for key, item in objects.items() if not _is_in(item, theirs)]
            yield from (f"{key} bears the id of no environment" for key in strange)
    ids = {pk for pk, row in rows.items() if row.phase != Phase.DELETED}
    names = {name for row in rows.values() if str(row.pk) in ids for name in row.groups.values_list("name", flat=True)}
    for group in world.groups:
        ours = group.external_id.partition("/")[0] in rows
        if ours and (group.external_id.partition("/")[0] not in ids or group.name not in names):
            yield f"group {group.name} belongs to no environment"


def _is_in(item: Manifest, namespaces: set[str]) -> bool:
    return (item["metadata"].get("namespace") or item["metadata"]["name"]) in namespaces


def _single(world: World) -> Iterator[str]:
    for name, count in Counter(group.name for group in world.groups).items():
        if count > 1:
            yield f"group {name} is there {count} times"
