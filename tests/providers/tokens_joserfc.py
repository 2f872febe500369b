"""Signs and verifies tokens with joserfc, as tokens.mjs does with jose."""

import base64
import json
import sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

KINDS = {"E": ECKey, "R": RSAKey, "P": RSAKey}


def base64url(value):
    encoded = base64.urlsafe_b64encode(json.dumps(value).encode())
    return encoded.rstrip(b"=").decode()


def sign(job):
    alg = job["alg"]
    header = {"alg": alg, **job["header"]}
    if alg == "none":
        return f"{base64url(header)}.{base64url(job['claims'])}."
    if "secret" in job:
        key = OctKey.import_key(job["secret"])
    else:
        kind = OKPKey if alg.startswith("Ed") else KINDS[alg[0]]
        key = kind.import_key(job["pem"])
    return jwt.encode(header, job["claims"], key, algorithms=[alg])


def verify(job):
    try:
        key = KeySet.import_key_set(job["jwks"]) if "jwks" in job else OctKey.import_key(job["secret"])
        token = jwt.decode(job["token"], key, algorithms=[job["alg"]])
        rules = jwt.JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": job["issuer"]},
            aud={"essential": True, "value": job["audience"]},
            exp={"essential": True},
        )
        rules.validate(token.claims)
        return token.claims["sub"]
    except (JoseError, ValueError):
        return None


with open(sys.argv[1]) as file:
    jobs = json.load(file)
json.dump([sign(job["sign"]) if "sign" in job else verify(job["verify"]) for job in jobs], sys.stdout)
