"""What people ask of the portal, by its own actions, and a ledger of what it accepted."""

import contextlib
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from environments import actions
from environments.actions import access_tokens, memberships
from environments.lib import naming
from environments.lib.errors import ReconcileError
from environments.lib.phases import Role
from environments.models import Cluster, Environment, TemplateVersion, User

NAMES = ("dana", "theo", "max", "ada", "sam", *(f"person{number}" for number in range(1, 8)))
PEOPLE = tuple(f"{name}@example.com" for name in NAMES)
OWNERS = PEOPLE[:5]
TEMPLATES = ("namespace", "gpu-namespace", "preview", "web-preview")
PARAMETERS = {
    "namespace": {"cpu": "1000m", "memory": "1024Mi"},
    "gpu-namespace": {},
    "preview": {"pull_request": "7"},
    "web-preview": {"image": "registry.example.com/web:1", "host": "web.example.com", "port": "8080", "replicas": "1"},
}


@dataclass
class Accepted:
    """What one environment must be in the end, because the portal said yes to it."""

    pk: str
    namespace: str
    owner: str
    members: dict[str, Role]
    version: int
    wanted: bool = True
    extensions: int = 0
    handovers: int = 0
    moves: int = 0
    refused_by: str = ""  # the step that must fail, because somebody else has the name


@dataclass
class Ledger:
    """Everything that was accepted, and how long the portal took to say so."""

    environments: dict[str, Accepted] = field(default_factory=dict)
    asks: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def living(self) -> list[Accepted]:
        return [one for one in self.environments.values() if one.wanted and not one.refused_by]


class People:
    """They ask for one thing after another, chosen by the seed."""

    def __init__(self, seed: int, plant: Callable[[str, str], None] = lambda what, namespace: None) -> None:
        self.ledger = Ledger()
        self._random, self._plant, self._number = random.Random(f"people {seed}"), plant, 0
        self._verbs: list[tuple[str, int]] = [
            ("add", 6), ("remove", 5), ("hand_over", 2), ("extend", 3), ("move", 3), ("delete", 2), ("token", 3),
            ("again", 2),
        ]  # fmt: skip

    def request(self, taken: str = "") -> None:
        """One more environment. `taken` (namespace, group): somebody else has that name already."""
        self._number += 1
        owner = User.objects.get(email=self._random.choice(OWNERS))
        slug = self._random.choice(TEMPLATES)
        version = TemplateVersion.objects.get(template__slug=slug, state=TemplateVersion.State.PUBLISHED)
        spec, key = version.parsed(), uuid.UUID(int=self._random.getrandbits(128), version=4)
        others = self._random.sample([one for one in PEOPLE if one != owner.email], self._random.randrange(3))
        roles = {email: self._random.choice(spec.collaborator_roles) for email in others}
        name = f"plot {self._number}"
        if taken:
            parts = naming.parts(owner_email=owner.email, name=name, template=slug)
            self._plant(taken, naming.namespace(parts, naming.suffix_of(key), spec.naming.namespace))
        request = actions.Draft(
            version=version, name=name, cluster=Cluster.objects.get(), key=key, parameters=PARAMETERS[slug],
            size=spec.sizes[0].name if spec.sizes else "", collaborators=roles,
        )  # fmt: skip
        made = self._insist(lambda: actions.request_environment(owner, request))
        self.ledger.environments[str(made.pk)] = Accepted(
            str(made.pk),
            made.namespace,
            owner.email,
            {owner.email: spec.owner_role} | roles,
            version.number,
            refused_by={"namespace": "Namespace", "group": "Group"}.get(taken, ""),
        )
        self._count("request")

    def anything(self) -> None:
        """One thing to one environment that is still wanted."""
        living = self.ledger.living()
        if not living:
            return
        names, weights = zip(*self._verbs, strict=True)
        verb, one = self._random.choices(names, weights)[0], self._random.choice(living)
        try:
            if getattr(self, f"_{verb}")(one):
                self._count(verb)
        except ValidationError as error:
            self.ledger.refused.append(f"{verb}: {error.messages[0]}")

    def _add(self, one: Accepted) -> bool:
        environment = self._read(one)
        roles = environment.template_spec.collaborator_roles
        email, role = self._random.choice(PEOPLE), self._random.choice(roles)
        if email == one.owner:
            return False
        self._insist(lambda: memberships.add_members(self._read(one), environment.owner, [email], role))
        one.members[email] = role
        return True

    def _remove(self, one: Accepted) -> bool:
        others = sorted(set(one.members) - {one.owner})
        if not others:
            return False
        email = self._random.choice(others)
        self._insist(lambda: memberships.remove_member(self._read(one), User.objects.get(email=one.owner), email))
        del one.members[email]
        return True

    def _hand_over(self, one: Accepted) -> bool:
        environment = self._read(one)
        heir = self._random.choice([email for email in OWNERS if email != one.owner])
        keep = self._random.choice([None, environment.template_spec.collaborator_roles[0]])

        def hand_over() -> None:
            if self._read(one).owner.email != heir:  # else it was committed before the connection broke
                memberships.hand_over(self._read(one), environment.owner, heir, keep=keep)

        self._insist(hand_over)
        one.members.pop(one.owner, None)
        if keep:
            one.members[one.owner] = keep
        one.members[heir] = environment.template_spec.owner_role
        one.owner, one.handovers = heir, one.handovers + 1
        return True

    def _extend(self, one: Accepted) -> bool:
        def extend() -> None:
            if self._read(one).extensions == one.extensions:
                # As if it were in its last days: before, no extension is offered.
                Environment.objects.filter(pk=self._read(one).pk).update(ends_at=timezone.now() + timedelta(hours=12))
                actions.extend_environment(self._read(one), User.objects.get(email=one.owner))

        self._insist(extend)
        one.extensions += 1
        return True

    def _move(self, one: Accepted) -> bool:
        environment = self._read(one)
        newest = TemplateVersion.objects.get(
            template=environment.version.template, state=TemplateVersion.State.PUBLISHED
        )
        if newest.number == one.version:
            return False

        def move() -> None:
            if self._read(one).version != newest:
                actions.move_environment(self._read(one), newest, environment.owner)

        self._insist(move)
        one.version, one.moves = newest.number, one.moves + 1
        return True

    def _delete(self, one: Accepted) -> bool:
        environment = self._read(one)
        self._insist(lambda: actions.delete_environment(environment, environment.owner, typed_name=environment.name))
        one.wanted = False
        return True

    def _token(self, one: Accepted) -> bool:
        """Somebody takes a token, or ends theirs. Whether the cluster does it now is its own affair."""
        user = User.objects.filter(email=self._random.choice(sorted(one.members))).first()
        if user is None:
            return False
        with contextlib.suppress(ReconcileError):
            if self._random.random() < 0.7:
                access_tokens.issue(self._read(one), user, hours=1)
            else:
                access_tokens.revoke(self._read(one), user)
        return True

    def _again(self, one: Accepted) -> bool:
        self._insist(lambda: actions.try_again(self._read(one), User.objects.get(email=one.owner)))
        return True

    def _read(self, one: Accepted) -> Environment:
        return Environment.objects.select_related("owner", "team", "version__template", "cluster").get(pk=one.pk)

    def _count(self, verb: str) -> None:
        self.ledger.asks[verb] = self.ledger.asks.get(verb, 0) + 1

    def _insist[T](self, act: Callable[[], T]) -> T:
        """As a person does before an error page: again, until it is taken."""
        return insist(act, self.ledger.seconds)


def insist[T](act: Callable[[], T], seconds: list[float] | None = None, patience: float = 60) -> T:
    """Do it again for as long as the database is away. `seconds` gets the time of the try that worked."""
    end = time.monotonic() + patience
    while True:
        start = time.monotonic()
        try:
            result = act()
        except (OperationalError, InterfaceError):
            connections.close_all()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            if seconds is not None:
                seconds.append(time.monotonic() - start)
            return result
