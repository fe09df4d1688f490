"""The demo's options."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    port: int
    data: Path
    kubeconfig: Path | None = None
    control_plane: bool = False

    @property
    def url(self) -> str:
        """The portal's URL."""
        return f"http://localhost:{self.port}"
