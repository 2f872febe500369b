"""Signs and verifies tokens with ML-DSA by the package cryptography, as tokens.mjs does others with jose.

The JWT libraries do not have RFC 9964 in all versions of Node.js and Python. Here its few lines are on OpenSSL.
"""

import base64
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(job):
    header = {"alg": job["alg"], **job["header"]}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, job["claims"]))
    if job["alg"] == "none":
        return signed + "."
    key = load_pem_private_key(job["pem"].encode(), None)
    return f"{signed}.{encode(key.sign(signed.encode()))}"


def verify(job):
    signed, signature = job["token"].rsplit(".", 1)
    header, claims = (json.loads(decode(part)) for part in signed.split("."))
    [jwk] = [jwk for jwk in job["jwks"]["keys"] if jwk["kid"] == header["kid"]]
    assert (jwk["kty"], jwk["alg"], header["alg"]) == ("AKP", job["alg"], job["alg"])
    kind = getattr(mldsa, job["alg"].replace("-", "") + "PublicKey")
    try:
        kind.from_public_bytes(decode(jwk["pub"])).verify(decode(signature), signed.encode())
    except InvalidSignature:
        return None
    is_valid = claims["iss"] == job["issuer"] and claims["aud"] == job["audience"] and claims["exp"] > time.time()
    return claims["sub"] if is_valid else None


with open(sys.argv[1]) as file:
    jobs = json.load(file)
json.dump([sign(job["sign"]) if "sign" in job else verify(job["verify"]) for job in jobs], sys.stdout)
