"""The few parts of JOSE that the protocol needs: JWK thumbprints and JWS, Ed25519 only."""

import base64
import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class BadSignature(Exception):
    """What was presented is no JWS by that key."""


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def thumbprint(jwk: dict) -> str:
    """RFC 7638: SHA-256 over the required members, sorted, without spaces."""
    members = {name: jwk[name] for name in ("crv", "kty", "x")}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(text.encode()).digest())


def verify(compact: str, jwk: dict) -> tuple[dict, dict]:
    """Returns header and payload of a compact JWS (RFC 7515); raises BadSignature."""
    try:
        header_text, payload_text, signature_text = compact.split(".")
        header = json.loads(decode(header_text))
        if header.get("alg") != "EdDSA":
            raise BadSignature("alg must be EdDSA")
        key = Ed25519PublicKey.from_public_bytes(decode(jwk["x"]))
        key.verify(decode(signature_text), f"{header_text}.{payload_text}".encode())
        return header, json.loads(decode(payload_text))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature) as error:
        raise BadSignature(str(error) or "the signature is wrong") from error


class SigningKey:
    def __init__(self, seed: bytes):
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(public)}
        self.thumbprint = thumbprint(self.jwk)

    def sign_general(self, value: dict) -> dict:
        """A JWS in general JSON serialisation (RFC 7515, section 7.2.1) with this one signature."""
        payload = encode(json.dumps(value).encode())
        protected = encode(json.dumps({"alg": "EdDSA", "kid": self.thumbprint}).encode())
        signature = encode(self._key.sign(f"{protected}.{payload}".encode()))
        return {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
