// A SCIM server of scimmy and scimmy-routers, as their documentation builds one: people and groups in memory.
//
// node scimmy.cjs FOLDER PORT TOKEN, where FOLDER has the packages in its node_modules.
const { createRequire } = require("node:module");
const { randomUUID } = require("node:crypto");
const path = require("node:path");

const [folder, port, token] = process.argv.slice(2);
const fetched = createRequire(path.join(folder, "server.cjs"));
const express = fetched("express");
const SCIMMY = fetched("scimmy").default ?? fetched("scimmy");
const SCIMMYRouters = fetched("scimmy-routers").default;

function declare(Resource) {
  const kept = new Map();
  const known = (id) => {
    if (!kept.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
    return kept.get(id);
  };
  SCIMMY.Resources.declare(Resource)
    .ingress((resource, data) => {
      if (resource.id) known(resource.id);
      const id = resource.id ?? randomUUID();
      kept.set(id, { ...JSON.parse(JSON.stringify(data)), id });
      return kept.get(id);
    })
    .egress((resource) => {
      if (resource.id) return known(resource.id);
      const all = [...kept.values()];
      return resource.filter ? resource.filter.match(all) : all;
    })
    .degress((resource) => {
      known(resource.id);
      kept.delete(resource.id);
    });
}

declare(SCIMMY.Resources.User);
declare(SCIMMY.Resources.Group);

const app = express();
const base = `http://127.0.0.1:${port}`;
app.use(
  "/scim/v2",
  new SCIMMYRouters({
    type: "bearer",
    baseUri: () => base,
    handler: (request) => {
      if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Wrong token");
      return "portal";
    },
  }),
);
app.listen(Number(port), "127.0.0.1");
