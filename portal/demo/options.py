"""What can be chosen about the demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What can be chosen on the command line."""

    port: int
    data: Path
    kubeconfig: Path | None = None
    control_plane: bool = False

    @property
    def url(self) -> str:
        """Where the portal answers."""
        return f"http://localhost:{self.port}"
