"""The process that `portal.demo.idp` starts: Canaille with the demo's people, on one port of the loopback.

It reads its configuration as one JSON document from standard input, and exits when standard input ends, so it does not
outlive a killed parent. It is a program of its own and imports nothing of the portal.
"""

import asyncio
import datetime
import json
import os
import secrets
import sys
import threading
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from canaille.oidc import provider
from hypercorn.asyncio import serve
from hypercorn.config import Config

Document = dict[str, Any]


def main() -> None:
    """Read the document, make Canaille's data match it, serve until the input ends."""
    document = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # Canaille's own tokens are JWTs that differ only by the second: a second sign-in within one second ends in a 500.
    provider.generate_access_token = lambda **_: secrets.token_urlsafe(48)
    app = create_app(config=document["config"])
    # Only admins write addresses here, so they count as verified. Canaille has no setting for that.
    app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"]["EMAIL_VERIFIED"] = "true"
    with app.app_context(), Backend.instance.session():
        seed(document)
    config = Config.from_mapping(bind=[document["bind"]], graceful_timeout=1, accesslog=None, errorlog="-")
    # hypercorn's own WSGI wrapper fails on answers without a body, such as a 204.
    asgi = WsgiToAsgi(app)  # type: ignore[no-untyped-call]
    asyncio.run(serve(asgi, config))


def seed(document: Document) -> None:
    """Create the people and groups in an empty directory; set the clients to what the document says."""
    if not Backend.instance.query(models.User):
        people = {person["user_name"]: _person(person) for person in document["people"]}
        for name, members in document["groups"].items():
            Backend.instance.save(models.Group(display_name=name, members=[people[member] for member in members]))
    for client in document["clients"]:
        _client(client)


def _person(attributes: Document) -> Any:
    person = models.User(**attributes)
    Backend.instance.save(person)
    return person


def _client(attributes: Document) -> None:
    """Create or update a client: the portal's address may have changed since the last run."""
    client = Backend.instance.get(models.Client, client_id=attributes["client_id"])
    if client is None:
        client = models.Client(client_id_issued_at=datetime.datetime.now(datetime.UTC))
    for name, value in attributes.items():
        setattr(client, name, value)
    Backend.instance.save(client)
    if not client.audience:
        client.audience = [client]
        Backend.instance.save(client)


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
