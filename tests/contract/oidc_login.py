"""A stand-in for kubelogin: signs in by device code, with the options of kubelogin that our files use, and no others.

Run as `kubectl-oidc_login get-token …`; prints an ExecCredential.
Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/, RFC 8628
"""

import argparse
import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["get-token"])
    parser.add_argument("--oidc-issuer-url", required=True)
    parser.add_argument("--oidc-client-id", required=True)
    parser.add_argument("--oidc-extra-scope", action="append", default=[])
    parser.add_argument("--certificate-authority-data")
    parser.add_argument("--grant-type", choices=["device-code"])
    parser.add_argument("--skip-open-browser", action="store_true")
    return parser.parse_args()


def asked(url: str, context: ssl.SSLContext, form: dict[str, str] | None = None) -> dict:
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data, timeout=20, context=context) as answer:
        return json.load(answer)


def main() -> None:
    chosen = options()
    pem = base64.b64decode(chosen.certificate_authority_data or "").decode()
    context = ssl.create_default_context(cadata=pem or None)
    found = asked(f"{chosen.oidc_issuer_url}/.well-known/openid-configuration", context)
    client = {"client_id": chosen.oidc_client_id}
    scope = " ".join(["openid", *chosen.oidc_extra_scope])
    started = asked(found["device_authorization_endpoint"], context, client | {"scope": scope})
    sys.stderr.write(f"Open {started['verification_uri']} and enter {started['user_code']}\n")
    time.sleep(started["interval"])
    form = client | {"grant_type": GRANT, "device_code": started["device_code"]}
    token = asked(found["token_endpoint"], context, form)["id_token"]
    status = {"token": token}
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    json.dump(credential, sys.stdout)


if __name__ == "__main__":
    try:
        main()
    except urllib.error.URLError as error:
        sys.exit(f"oidc-login: {error}")
