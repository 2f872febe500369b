// An OpenID provider on 127.0.0.1: `node provider.mjs PORT KEYS`.
//
// KEYS is a JSON file: a list of { pem, kid, alg }, where `alg` may be missing. The provider reads it at the start and
// at a POST of /control/keys. GET /control/pid returns the process id.
//
// The access tokens for the resource https://api.example/ALG/KID are JWTs that this algorithm and key have signed.
// Without KID, the provider chooses a key. Its clients are
//
// - service: client credentials, with the secret `the secret of the service`;
// - web: authorization code with PKCE, without a secret. The login page accepts everyone.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [port, keysFile] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const resources = 'https://api.example/';

const algorithms = {
  RSA: () => 'RS256',
  EC: ({ crv }) => ({ 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' })[crv],
  OKP: () => 'EdDSA',
};

function readKeys() {
  return JSON.parse(readFileSync(keysFile, 'utf8')).map(({ pem, kid, alg }) => ({
    ...createPrivateKey(pem).export({ format: 'jwk' }), kid, alg, use: 'sig',
  }));
}

function resourceServer(ctx, resource) {
  const [alg, kid] = resource.slice(resources.length).split('/');
  return {
    audience: resource,
    scope: 'read write',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 300,
    jwt: { sign: kid ? { alg, kid } : { alg } },
  };
}

function makeCallback() {
  const keys = readKeys();
  const [first] = keys;
  // Each client has an algorithm for ID tokens, for which there must be a key.
  const id_token_signed_response_alg = first.alg ?? algorithms[first.kty](first);
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'service',
        client_secret: 'the secret of the service',
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg,
      },
      {
        client_id: 'web',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        id_token_signed_response_alg,
      },
    ],
    jwks: { keys },
    cookies: { keys: ['the secret of the cookies'] },
    scopes: ['openid', 'read', 'write'],
    ttl: { ClientCredentials: 300, AccessToken: 300, IdToken: 300 },
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: resourceServer,
        useGrantedResource: () => true,
      },
    },
    enabledJWA: {
      idTokenSigningAlgValues: [
        'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
      ],
    },
  });
  // Clients see no details of an error.
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

let handle = makeCallback();

createServer((request, response) => {
  if (request.url === '/control/pid') {
    response.end(`${process.pid}`);
  } else if (request.url === '/control/keys' && request.method === 'POST') {
    handle = makeCallback();
    response.end('done');
  } else {
    handle(request, response);
  }
}).listen(Number(port), '127.0.0.1');
