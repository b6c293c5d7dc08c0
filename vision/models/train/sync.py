"""Copy the card's figures (version, hash, size, thresholds, margin, passes) into ../manifest.json.

    python sync.py ../weights/streetguard-s.json ../manifest.json
"""
import json
import sys

card, man = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
entry = next(m for m in man["models"] if m["name"] == card["name"])
for theirs, ours in (("version", "version"), ("bytes", "bytes"), ("sha256", "sha256"), ("thresholds", "thresholds"),
                     ("nms", "nms_iou"), ("margin", "margin"), ("passes", "recommended_passes")):
    entry[theirs] = card[ours]
with open(sys.argv[2], "w") as f:
    f.write(json.dumps(man, indent=2, ensure_ascii=False) + "\n")
