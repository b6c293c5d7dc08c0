"""Copy the card's figures (version, hash, size, thresholds, margin, passes) into ../manifest.json.

    python sync.py ../weights/streetguard-s.json ../manifest.json

Edits the entry's lines in place and leaves the rest of the file as it is.
"""
import json
import re
import sys

card = json.load(open(sys.argv[1]))
text = open(sys.argv[2]).read()
a = text.index(f'"name": "{card["name"]}"')
b = text.find('"name":', a + 10)
b = len(text) if b < 0 else b
e = text[a:b]
put = lambda key, val: re.sub(rf'("{key}": )("[^"]*"|[-\d.]+|\{{[^}}]*\}})', lambda m: m[1] + json.dumps(val), e, count=1)
for k, v in (("version", card["version"]), ("bytes", card["bytes"]), ("sha256", card["sha256"]),
             ("thresholds", card["thresholds"]), ("nms", card["nms_iou"]), ("margin", card["margin"])):
    e = put(k, v)
passes = ",\n".join("        " + json.dumps(p) for p in card["recommended_passes"])
e = re.sub(r'"passes": \[.*?\n      \]', lambda m: '"passes": [\n' + passes + "\n      ]", e, count=1, flags=re.S)
text = text[:a] + e + text[b:]
json.loads(text)
open(sys.argv[2], "w").write(text)
