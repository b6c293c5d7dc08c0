"""Finds of a trained net on the TRAINING images, for the next round (see data.load's `own`).

    python mine.py TRAIN_DIR pseudo.json model.onnx own.json
"""
import json
import sys

import cv2

import data as DT
import detectors as D
import evaluate as E

if __name__ == "__main__":
    cv2.setNumThreads(1)
    det, out = D.Ours(sys.argv[3], thr=(.2, .15)), {}
    for r in DT.load(sys.argv[1], sys.argv[2], "train"):
        mpx = r.img.shape[0] * r.img.shape[1] / 1e6
        b, s, c = det.detect(r.img, ((.5, 0, 1), (1, 0, 1), (2, 0, 1)) if mpx < .3 else ((.5, 0, 1), (1, 0, 1)))
        out[f"{r.folder}/{r.name}"] = [[*(round(float(v), 1) for v in q), round(float(t), 3), int(k)] for q, t, k in zip(b, s, c)]
    json.dump(out, open(sys.argv[4], "w"))
    print(len(out), "images", sum(map(len, out.values())), "finds")
