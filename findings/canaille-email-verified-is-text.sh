#!/usr/bin/env bash
# Canaille 0.3.6: the claim `email_verified` can only be a text, which no Kubernetes API server accepts.
#
# Discovery lists the claim, but by default no token has it. A mapping (USERINFO_MAPPING) is a Jinja template, and what it
# renders is a text: "true" where OpenID Connect Core §5.1 wants true. kube-apiserver 1.36 then rejects the token ("cannot
# unmarshal string into Go value of type bool"), if it makes user names of `email`. Expected: a mapping can give a boolean. Seen: a
# text. Fails if that changes. Way out: leave the claim out, or make user names of another claim.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'canaille[front,oidc,server]==0.3.6'

cat >claims.py <<'PY'
from types import SimpleNamespace

from canaille import create_app
from canaille.oidc.userinfo import generate_user_claims

app = create_app(config={"SECRET_KEY": "x" * 40, "SERVER_NAME": "localhost", "CANAILLE_OIDC": {}})
user = SimpleNamespace(user_name="dana", preferred_email="dana@example.com", groups=[], last_modified=None)
user.__dict__.update({name: "" for name in ("formatted_name", "phone_numbers", "given_name", "family_name", "street")})
user.__dict__.update({name: "" for name in ("display_name", "preferred_language", "photo", "profile_url", "region")})
user.__dict__.update({name: "" for name in ("formatted_address", "locality", "postal_code")})
with app.app_context():
    mapping = app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"]
    mapping["UPDATED_AT"] = "1"
    print("without a mapping:", repr(generate_user_claims(user).get("email_verified")))
    mapping["EMAIL_VERIFIED"] = "{{ true }}"
    sent = generate_user_claims(user)["email_verified"]
    print("with a mapping to true:", repr(sent))
    raise SystemExit(sent is True)
PY

venv/bin/python claims.py 2>/dev/null || { echo "Changed: it is a boolean."; exit 1; }
