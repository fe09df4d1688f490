"""The form for a cluster in the admin: addresses, certificates, credentials and names, each refused at its field."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from environments.admin import cluster_names, kubeconfigs
from environments.admin.writeonly import SecretForm, WriteOnlyField, check_address
from environments.lib import hosts, tls
from environments.models import Cluster


class _PemTextarea(forms.Textarea):
    """A field for certificates, which shows a private key that was pasted by mistake to nobody."""

    def format_value(self, value: Any) -> str | None:
        """The text, or nothing."""
        text = super().format_value(value)
        return None if text and tls.has_private_key(text) else text


_PEM = _PemTextarea(attrs={"rows": 4, "class": "secret"})
_KIND_WORDS = {Cluster.Credential.TOKEN: "token", Cluster.Credential.KUBECONFIG: "kubeconfig"}


class ClusterForm(SecretForm):
    """A cluster, with a credential that is never shown again."""

    secret_field = "credential"  # noqa: S105
    address_fields = ("server",)

    credential = WriteOnlyField(
        help_text="The token of the portal's service account, or a kubeconfig file, as chosen above."
    )

    class Meta:
        model = Cluster
        exclude = ()
        widgets: ClassVar = {
            "certificate_authority": _PEM,
            "public_certificate_authority": _PEM,
            "oidc_certificate_authority": _PEM,
            "host_names": forms.TextInput(attrs={"class": "code", "size": 60, "spellcheck": "false"}),
        }

    def clean_certificate_authority(self) -> str:
        """Certificates in PEM, or nothing."""
        return self._authority("certificate_authority")

    def clean_public_server(self) -> str:
        """An address with TLS, or nothing."""
        server = str(self.cleaned_data["public_server"])
        if server and urlsplit(server).scheme != "https":
            raise ValidationError("Enter an address that begins with https. kubectl never signs in over http.")
        return server

    def clean_public_certificate_authority(self) -> str:
        """Certificates in PEM exactly where members' files shall have their own."""
        pem = self._authority("public_certificate_authority")
        is_wanted = self.cleaned_data.get("public_trust") == Cluster.Trust.OWN
        if is_wanted and not pem:
            raise ValidationError("Paste the certificates here, or choose differently at “Members trust”.")
        if pem and not is_wanted:
            raise ValidationError(
                f"To use these, choose “{Cluster.Trust.OWN.label}” at “Members trust”. Otherwise, remove them."
            )
        return pem

    def clean_oidc_certificate_authority(self) -> str:
        """Certificates in PEM, or nothing."""
        return self._authority("oidc_certificate_authority")

    def _authority(self, field: str) -> str:
        text = str(self.cleaned_data[field]).strip()
        try:
            return tls.certificates(text).strip() if text else ""
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def clean_host_names(self) -> str:
        """Patterns with the namespace in them, or nothing."""
        patterns = hosts.split(str(self.cleaned_data["host_names"]))
        if len(patterns) > hosts.MOST:
            raise ValidationError(f"Use at most {hosts.MOST} patterns; you entered {len(patterns)}.")
        problems = (hosts.problem(each, needs_namespace=True) for each in patterns)
        if sentences := list(filter(None, problems)):
            raise ValidationError(sentences)
        return ", ".join(patterns)

    def clean_server(self) -> str:
        """An address that the portal may connect to."""
        server = str(self.cleaned_data["server"])
        check_address(server)
        return server

    def clean_workbench_namespace(self) -> str:
        """A namespace of its own: in the account namespace the portal manages members' accounts."""
        name = str(self.cleaned_data["workbench_namespace"])
        if name == self.data.get("account_namespace", self.instance.account_namespace):
            raise ValidationError("Members' ServiceAccounts are in this namespace. Use another name.")
        return name

    def has_moved(self) -> bool:
        """A kubeconfig holds its own address."""
        return self.cleaned_data.get("credential_kind") == Cluster.Credential.TOKEN and super().has_moved()

    def clean(self) -> dict[str, Any]:
        """What the kind of credential needs, each message at its field; at last a client is made of it all."""
        kind = self.cleaned_data.get("credential_kind", "")
        if "credential_kind" in self.changed_data:
            self.stored = ""  # a kubeconfig is no token
        cleaned = super().clean()
        if kind == Cluster.Credential.IN_CLUSTER:
            cleaned["credential"] = ""
            self._try("credential_kind", kubeconfigs.check_client, kubeconfigs.Draft(kind))
        elif kind:
            self._clean_credential(kind, cleaned)
        for field, sentence in cluster_names.mistakes(cleaned):
            self.add_error(field, sentence)
        return cleaned

    def _clean_credential(self, kind: str, cleaned: dict[str, Any]) -> None:
        credential, server = str(cleaned.get("credential") or ""), str(cleaned.get("server") or "")
        if not credential and "credential" not in self.errors:
            self.add_error("credential", f"Paste the {_KIND_WORDS[Cluster.Credential(kind)]} here.")
        if kind == Cluster.Credential.TOKEN and not server and "server" not in self.errors:
            self.add_error("server", "Enter the API server's address, for example https://api.cluster.example.com:6443")
        if credential:
            is_token = kind == Cluster.Credential.TOKEN
            check = kubeconfigs.check_token if is_token else kubeconfigs.check_kubeconfig
            self._try("credential", check, credential)
        if not self.errors:
            authority = str(cleaned.get("certificate_authority") or "")
            self._try("credential", kubeconfigs.check_client, kubeconfigs.Draft(kind, server, authority, credential))

    def _try(self, field: str, check: Any, value: Any) -> None:
        try:
            check(value)
        except ValueError as error:
            self.add_error(field, str(error))
