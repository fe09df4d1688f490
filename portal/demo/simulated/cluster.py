"""The simulated cluster as a whole: start it, reach it, stop it."""

import secrets
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from environments.kube.rbac import ACCOUNT, ACCOUNT_NAMESPACE
from portal.demo import certificates
from portal.demo.simulated.accounts import Accounts
from portal.demo.simulated.api import Api, Request, Response
from portal.demo.simulated.bootstrap import bootstrap
from portal.demo.simulated.denying import Denials
from portal.demo.simulated.faults import Faults
from portal.demo.simulated.kinds import BY_NAME, Object
from portal.demo.simulated.mutating import Mutations
from portal.demo.simulated.namespaces import NamespaceController
from portal.demo.simulated.persistence import StateFile
from portal.demo.simulated.rbac import MASTERS, User
from portal.demo.simulated.server import Server
from portal.demo.simulated.store import Store
from portal.demo.simulated.writing import Writer

_YEAR = 365 * 24 * 3600


class SimulatedCluster:
    """A Kubernetes API on loopback, without nodes. Usable as a context manager, in any process.

    It exists once constructed, but clients can reach it only after `start`.
    """

    def __init__(
        self,
        port: int = 0,
        data_file: Path | None = None,
        tokens: dict[str, User] | None = None,
        *,
        admin_token: str = "",
        termination_delay: float = 1.0,
        certificates_folder: Path | None = None,
    ) -> None:
        """`port` 0 takes a free one; `data_file` keeps the state; `tokens` says who signs in with which token.

        With `certificates_folder` it serves https, with an authority of its own that is kept there.

        A deleted namespace disappears after `termination_delay` seconds (a real cluster takes about five).
        """
        self.faults = Faults()
        self.admin_token = admin_token or secrets.token_hex(16)
        self.lock = threading.RLock()
        self.store = Store()
        self._state = StateFile(data_file, self.store, self.lock, secrets.token_bytes(32)) if data_file else None
        if self._state:
            self._state.load()
        self._namespaces = NamespaceController(self.store, self.lock, termination_delay)
        self.writer = Writer(self.store, self._namespaces.enqueue)
        key = self._state.key if self._state else secrets.token_bytes(32)
        known = {self.admin_token: User("admin", (MASTERS,))} | (tokens or {})
        self._accounts = Accounts(self.store, key, known)
        bootstrap(self.writer)
        self._api = Api(self.store, self.lock, self._accounts, self.writer)
        self.certificate_authority = ""  # as PEM
        tls = self._tls(certificates_folder) if certificates_folder else None
        self._server = Server(self.handle, self.faults, port, tls)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self._server.url

    def _tls(self, folder: Path) -> ssl.SSLContext:
        self.certificate_authority = certificates.kept(folder, "simulated-cluster")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / certificates.CERTIFICATE, folder / certificates.KEY)
        return context

    def shorten_tokens(self, seconds: int | None) -> None:
        """Give no token for longer, as `--service-account-max-token-expiration` does; None: for any time."""
        self._accounts.longest = seconds

    @property
    def mutations(self) -> Mutations:
        """What mutating admission policies do on this cluster; nothing unless something is added."""
        return self.writer.mutations

    @property
    def denials(self) -> Denials:
        """What validating admission policies of its own refuse on this cluster; nothing unless something is added."""
        return self.writer.denials

    @property
    def portal_token(self) -> str:
        """A token for the portal's least-privileged ServiceAccount, valid for a year."""
        with self.lock:
            answer = self._accounts.issue(ACCOUNT, ACCOUNT_NAMESPACE, {"spec": {"expirationSeconds": _YEAR}})
        return str(answer["status"]["token"])

    def start(self) -> None:
        """Start serving, ending namespaces and saving the state."""
        self._namespaces.start()
        if self._state:
            self._state.start()
        self._server.start()

    def stop(self) -> None:
        """Stop everything and write the state."""
        self._server.stop()
        self._namespaces.stop()
        if self._state:
            self._state.stop()

    def handle(self, request: Request) -> Response:
        """Handle a request without a socket."""
        return self._api.handle(request)

    def set_status(self, kind: str, namespace: str, name: str, status: Object) -> None:
        """Set an object's status, as a controller or a kubelet does. Raises StatusError 404."""
        with self.lock:
            self.writer.set_status(BY_NAME[kind], namespace, name, status)
