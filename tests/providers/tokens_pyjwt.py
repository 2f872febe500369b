"""Signs and verifies tokens with PyJWT, as tokens.mjs does with jose."""

import json
import sys

import jwt


def sign(job):
    key = None if job["alg"] == "none" else job.get("pem") or job["secret"]
    return jwt.encode(job["claims"], key, algorithm=job["alg"], headers=job["header"])


def verify(job):
    token = job["token"]
    try:
        if "jwks" in job:
            keys = jwt.PyJWKSet.from_dict(job["jwks"])
            key = keys[jwt.get_unverified_header(token)["kid"]].key
        else:
            key = job["secret"]
        claims = jwt.decode(
            token, key, algorithms=[job["alg"]], issuer=job["issuer"], audience=job["audience"], leeway=5
        )
        return claims["sub"]
    except jwt.InvalidTokenError:
        return None


with open(sys.argv[1]) as file:
    jobs = json.load(file)
json.dump([sign(job["sign"]) if "sign" in job else verify(job["verify"]) for job in jobs], sys.stdout)
