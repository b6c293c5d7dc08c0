"""Write the machine-readable card beside an exported model.

    python card.py ../weights/streetguard-s.onnx VERSION FACE_THR PLATE_THR MARGIN
"""
import hashlib
import json
import os
import sys

path, version, face, plate, margin = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:6])
b = open(path, "rb").read()
card = {
    "name": os.path.splitext(os.path.basename(path))[0],
    "version": version,
    "task": "faces and licence plates, for redaction",
    "classes": ["face", "plate"],
    "licence": "Apache-2.0",
    "origin": "fine-tuned from YuNet-n (Apache-2.0, ShiqiYu/libfacedetection.train, sha256 104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12); recipe and data card in ../train",
    "file": os.path.basename(path),
    "sha256": hashlib.sha256(b).hexdigest(),
    "bytes": len(b),
    "opset": 17,
    "input": {"name": "image", "layout": "NCHW", "type": "float32", "colour": "BGR", "range": [0, 255], "mean": [0, 0, 0],
              "scale": [1, 1, 1], "multiple_of": 32, "pad": "right and bottom with 0", "dynamic": ["height", "width"], "batch": 1},
    "outputs": {"boxes": "float32 [N,4]: x1,y1,x2,y2 in input pixels, may reach outside: clip",
                "scores": "float32 [N,2]: face, plate, sigmoid already applied"},
    "thresholds": {"face": face, "plate": plate},
    "nms_iou": 0.45,
    "margin": margin,
    "margin_unit": "fraction of the box's width (left and right) and height (top and bottom), each side",
    "recommended_passes": [
        {"scale": 0.5, "band": [0, 1]},
        {"scale": 1, "band": [0, 1]},
        {"scale": 2, "band": [0, 1], "max_mpx": 1.0},
        {"scale": 2, "band": [0.36, 0.62], "min_mpx": 1.0},
    ],
}
json.dump(card, open(os.path.splitext(path)[0] + ".json", "w"), indent=2)
print(card["sha256"], card["bytes"])
