"""Reads a FrameKM bundle (BLOB, BLOB.json) by its published description alone, and prints what it holds as JSON.

Frames are found in the blob by the structure of JPEG (ITU-T T.81 B.1: segments up to a scan, entropy-coded bytes in which FF is
followed by 00 or a restart, the end of image), not by the sizes that the metadata gives; both must agree. speed is in km/h, t in
milliseconds since 1970, acc in g, gyro in rad/s."""
import datetime
import hashlib
import json
import sys


def jpegs(b):
    at = 0
    while at < len(b):
        assert b[at:at + 2] == b"\xff\xd8", f"no image at byte {at}"
        i = at + 2
        while b[i:i + 2] != b"\xff\xd9":
            assert b[i] == 0xFF, f"no marker at byte {i}"
            marker = b[i + 1]
            i += 2 + int.from_bytes(b[i + 2:i + 4], "big")
            if marker == 0xDA:  # start of scan
                while b[i] != 0xFF or b[i + 1] == 0 or 0xD0 <= b[i + 1] <= 0xD7:
                    i += 1
        yield at, b[at:i + 2]
        at = i + 2


def main(name):
    with open(name, "rb") as f:
        blob = f.read()
    with open(name + ".json") as f:
        meta = json.load(f)
    bundle, frames = meta["bundle"], meta["frames"]
    found = list(jpegs(blob))
    assert bundle["version"] in ("1.9", "1.10") and bundle["size"] == len(blob) and bundle["numFrames"] == len(frames) == len(found)
    out = []
    for f, (at, b) in zip(frames, found):
        assert f["bytes"] == len(b)
        t = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=round(f["t"] * 1000))
        imu = [f.get(k) for k in ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")]
        out.append({"offset": at, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest(), "time": t.isoformat(timespec="microseconds") + "Z",
                    "lat": f["lat"], "lon": f["lon"], "alt": f.get("alt"), "mps": f["speed"] * 1000 / 3600 if "speed" in f else None,
                    "hdop": f.get("hdop"), "satellites": f.get("satellites"), "eph": f.get("eph"), "imu": None if None in imu else imu})
    print(json.dumps({"name": bundle["name"], "model": bundle["deviceType"], "frames": out}))


main(sys.argv[1])
