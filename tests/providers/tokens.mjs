// Signs and verifies tokens with jose: `node tokens.mjs INPUT`. INPUT is a JSON list of jobs, and the output the list of
// their results:
//
// - { sign: { alg, pem or secret, header, claims } }: the token. With the alg "none", it has no signature.
// - { verify: { alg, jwks or secret, token, issuer, audience } }: the subject, or null if jose rejects the token.
import { readFileSync } from 'node:fs';
import { SignJWT, UnsecuredJWT, createLocalJWKSet, errors, importPKCS8, jwtVerify } from 'jose';

async function sign({ alg, pem, secret, header, claims }) {
  if (alg === 'none') return new UnsecuredJWT(claims).encode();
  const key = pem ? await importPKCS8(pem, alg) : Buffer.from(secret);
  return new SignJWT(claims).setProtectedHeader({ alg, ...header }).sign(key);
}

async function verify({ alg, jwks, secret, token, issuer, audience }) {
  const key = jwks ? createLocalJWKSet(jwks) : Buffer.from(secret);
  try {
    const options = { algorithms: [alg], issuer, audience, typ: 'at+jwt', clockTolerance: 5 };
    return (await jwtVerify(token, key, options)).payload.sub;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

const jobs = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const results = [];
for (const job of jobs) {
  results.push(await (job.sign ? sign(job.sign) : verify(job.verify)));
}
process.stdout.write(JSON.stringify(results));
