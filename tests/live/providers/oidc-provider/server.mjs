// An identity provider made with oidc-provider for Node.js, with its own pages for sign-in and consent.
// Source: https://github.com/panva/node-oidc-provider/blob/main/docs/README.md. What it knows is in memory.
// It reads its configuration as one JSON document from standard input, and exits when standard input ends.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The packages are not beside this file (tests/packages.py): the first argument is the folder that holds them.
const installed = createRequire(`${process.argv[2]}/`);
const { Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));

const lines = createInterface({ input: process.stdin });
const document = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
lines.once('close', () => process.exit(0));

function claims(person) {
  const verified = person.verified === null ? {} : { email_verified: person.verified };
  return {
    sub: person.name,
    name: `${person.given_name} ${person.family_name}`,
    given_name: person.given_name,
    family_name: person.family_name,
    preferred_username: person.name,
    email: person.email,
    groups: person.groups,
    ...verified,
  };
}

const provider = new Provider(document.issuer, {
  clients: document.clients.map((client) => ({
    client_id: client.id,
    redirect_uris: [client.redirect_uri],
    post_logout_redirect_uris: [client.post_logout_redirect_uri],
    ...client.more,
    ...(client.secret ? { client_secret: client.secret } : {}),
  })),
  jwks: { keys: document.jwks },
  cookies: { keys: [document.secret_key] },
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  features: { backchannelLogout: { enabled: true } },
  // Its own dispatcher closes connections to private addresses, so that no logout token would arrive at this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  async findAccount(ctx, id) {
    const person = document.people.find((each) => each.name === id);
    return person && { accountId: id, claims: async () => claims(person) };
  },
});

provider.on('backchannel.error', (ctx, error) => console.error(error));
provider.listen(document.port, '127.0.0.1');
