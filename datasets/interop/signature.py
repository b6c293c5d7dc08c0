"""Verifies a snapshot without any code of ours: Ed25519 by the cryptography package, SHA-256 and CIDs by the standard library."""
import base64
import hashlib
import json
import os
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verify(folder, key):
    """Gives the number of files; raises where a byte is not what the key signed."""
    manifest = open(os.path.join(folder, "snapshot.json"), "rb").read()
    sig = json.load(open(os.path.join(folder, "snapshot.json.sig")))
    if sig["format"] != "roadcomb-signature/1" or base64.b64decode(sig["key"]) != key:
        raise InvalidSignature("another format, or another key")
    message = b"roadcomb-snapshot/1\n" + hashlib.sha256(manifest).hexdigest().encode()
    Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(sig["signature"]), message)
    n = 0
    for dataset in json.loads(manifest)["datasets"].values():
        for f in dataset["files"]:
            body = open(os.path.join(folder, f["path"]), "rb").read()
            digest = hashlib.sha256(body).digest()
            cid = "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")
            if len(body) != f["bytes"] or digest.hex() != f["sha256"] or cid != f["cid"]:
                raise ValueError(f["path"])
            n += 1
    return n


if __name__ == "__main__":
    folder, key = sys.argv[1], base64.b64decode(sys.argv[2])
    n = verify(folder, key)
    path = os.path.join(folder, "snapshot.json")
    good = open(path, "rb").read()
    for at in range(0, len(good), max(1, len(good) // 50)):  # a changed byte anywhere must be refused
        bad = bytearray(good)
        bad[at] ^= 1
        open(path, "wb").write(bad)
        try:
            verify(folder, key)
            sys.exit(f"datasets: byte {at} of the manifest was changed, and the signature holds")
        except InvalidSignature:
            pass
        finally:
            open(path, "wb").write(good)
    print(f"datasets: Python verifies the signature of the snapshot and the hashes of {n} files, and refuses a changed byte")
