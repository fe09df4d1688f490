#!/usr/bin/env bash
# scimmy-routers 1.3.2 on express 5: `startIndex` and `count` are ignored, so every page of a list is the first one.
#
# The package accepts express ">=4.18" as a peer. Its middleware turns both parameters into numbers by assigning to
# `request.query`. Express 5 made `request.query` a getter that parses anew on each access, so the numbers are lost, and
# scimmy ignores the strings. A client that reads to `totalResults` never gets there.
# Expected: startIndex=21 of 30 users gives the last ten. Seen: the first twenty again. Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts scimmy@1.3.5 scimmy-routers@1.3.2 express@5.3.0

cat >server.mjs <<'JS'
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const users = Array.from({ length: 30 }, (_, number) => ({ id: `${number + 1}`, userName: `user${number + 1}` }));
SCIMMY.Resources.declare(SCIMMY.Resources.User).egress(() => users);
const app = express();
app.use("/scim", new SCIMMYRouters({ type: "bearer", handler: () => "me" }));
const listening = app.listen(0, "127.0.0.1", () => console.log(listening.address().port));
JS
node server.mjs >port &
server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done

npm ls express scimmy scimmy-routers --depth=0
first=$(curl -s "http://127.0.0.1:$(cat port)/scim/Users?startIndex=21&count=5" | node -pe '
  const page = JSON.parse(require("fs").readFileSync(0, "utf8"));
  `startIndex ${page.startIndex}, ${page.Resources.length} of ${page.totalResults}, first ${page.Resources[0].userName}`')
echo "asked for startIndex=21&count=5: $first"
[ "$first" = "startIndex 1, 20 of 30, first user1" ] || { echo "Changed: the page is another one."; exit 1; }
