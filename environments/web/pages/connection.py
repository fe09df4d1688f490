"""How a member starts to use an environment: the kubeconfig file, and commands that show that it works."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from environments.actions import access_tokens
from environments.lib import dates
from environments.lib.phases import Role
from environments.models import Cluster, Environment, Member

_NEW = timedelta(days=1)  # after they got access, the first steps lead the page


@dataclass(frozen=True)
class Connection:
    """A member's way into the namespace. `member`: a stored one, or as `access_tokens.through_group` makes it."""

    environment: Environment
    member: Member

    @property
    def is_verified(self) -> bool:
        """Whether the cluster has confirmed their access, so that a file can be downloaded."""
        return access_tokens.is_proven(self.member)

    @property
    def is_through_group(self) -> bool:
        """Whether they have access only as one of a group or a team."""
        return self.member.is_of_group or self.member.through_id is not None

    @property
    def is_new(self) -> bool:
        """Whether they got access within the last day."""
        since = max(filter(None, (self.environment.ready_at, self.member.added_at)))
        return timezone.now() - since < _NEW

    @property
    def uses_oidc(self) -> bool:
        """Whether the file signs in with the identity provider; otherwise it holds a token."""
        return self.environment.cluster.access == Cluster.Access.OIDC

    @property
    def hours(self) -> int:
        """How long a token is valid unless they choose otherwise."""
        return access_tokens.usual_hours(self.environment.cluster.max_token_hours)

    @property
    def lifetime(self) -> str:
        """How long such a token is valid on this cluster, which may shorten it."""
        cap = self.environment.cluster.token_cap_seconds
        return dates.lifetime(min(self.hours * 3600, cap or self.hours * 3600))

    @property
    def commands(self) -> str:
        """The commands that use the file and show that it works: the last one answers `yes`."""
        verb = "get" if self.member.role == Role.VIEWER else "create"
        use = f"export KUBECONFIG=~/Downloads/{self.environment.namespace}.kubeconfig"
        return f"{use}\nkubectl auth can-i {verb} pods"
