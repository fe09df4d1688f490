#!/usr/bin/env bash
# scimmy 1.3.5: a filter compares capitals even of attributes that its own schema declares as not case-exact, and PATCH
# `add` of a member who is in already makes a second entry.
#
# RFC 7643 §4.1.1 has userName in any case; scimmy's /Schemas says "caseExact": false. `userName eq "ANN"` does not find
# ann. RFC 7644 §3.5.2.1: a value that exists already changes nothing. Fails if either changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts scimmy@1.3.5
npm ls scimmy --depth=0

cat >try.mjs <<'JS'
import assert from "node:assert";
import SCIMMY from "scimmy";

const users = [{ id: "1", userName: "ann" }];
SCIMMY.Resources.declare(SCIMMY.Resources.User).egress(({ filter }) => filter.match(users));
const found = async (name) =>
  (await new SCIMMY.Resources.User({ filter: `userName eq "${name}"` }).read()).Resources.length;
const caseExact = SCIMMY.Schemas.User.definition.attribute("userName").config.caseExact;
console.log(`userName: caseExact ${caseExact}; eq "ann" finds ${await found("ann")}, eq "ANN" finds ${await found("ANN")}`);
assert.deepEqual([caseExact, await found("ann"), await found("ANN")], [false, 1, 0], "Changed");

let group = { id: "7", displayName: "team", members: [{ value: "1" }] };
SCIMMY.Resources.declare(SCIMMY.Resources.Group)
  .ingress((_, data) => (group = { ...JSON.parse(JSON.stringify(data)), id: "7" }))
  .egress(() => group);
await new SCIMMY.Resources.Group("7").patch({
  schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  Operations: [{ op: "add", path: "members", value: [{ value: "1" }] }],
});
console.log(`members after adding 1 again: ${group.members.map((member) => member.value)}`);
assert.deepEqual(group.members.map((member) => member.value), ["1", "1"], "Changed");
JS
node try.mjs
