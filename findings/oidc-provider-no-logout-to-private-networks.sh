#!/usr/bin/env bash
# oidc-provider 9.13.3 (Node.js): no logout token reaches a client with a private address.
#
# Back-Channel Logout 1.0 is for servers, and many stand in a private network. Expected: the client with the
# `backchannel_logout_uri` http://127.0.0.1:… gets the token. Seen: the provider closes the connection ("hostname resolves to
# a special-use IP address"), for 10.0.0.0/8, 192.168.0.0/16 and others too. People see a successful sign-out, and the log is
# empty; only the event `backchannel.error` tells. Fails if that changes. Way out: `fetch` in the configuration, without the
# dispatcher that is passed to it. Listen to `backchannel.error`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund oidc-provider@9.13.3

cat >logout.mjs <<'JS'
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

let arrived = 0;
const receiver = createServer((request, response) => {
  arrived += 1;
  request.resume();
  response.end();
}).listen(0, '127.0.0.1');
await new Promise((ready) => receiver.once('listening', ready));

async function logOut(more) {
  const client = {
    client_id: 'portal',
    client_secret: 'secret',
    redirect_uris: ['http://127.0.0.1/callback'],
    backchannel_logout_uri: `http://127.0.0.1:${receiver.address().port}/`,
  };
  const features = { backchannelLogout: { enabled: true } };
  const provider = new Provider('http://127.0.0.1', { clients: [client], features, ...more });
  const portal = await provider.Client.find('portal');
  const before = arrived;
  const error = await portal.backchannelLogout('dana', 'session').then(() => '', (reason) => reason.cause?.message ?? reason.message);
  return { arrived: arrived - before, error };
}

const byDefault = await logOut({});
const ownFetch = await logOut({ fetch: (url, { dispatcher, ...options }) => fetch(url, options) });
console.log('by default:', byDefault);
console.log('with a fetch of its own:', ownFetch);
receiver.close();
process.exit(byDefault.arrived === 0 && ownFetch.arrived === 1 ? 0 : 1);
JS

node --version
node logout.mjs 2>/dev/null || { echo "Changed: the token arrives."; exit 1; }
