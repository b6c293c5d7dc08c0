"""Held-out part of the training folders: the only data that choices and thresholds are taken from.

    python validate.py TRAIN_DIR pseudo.json model.onnx [passes] [margin]
"""
import sys

import cv2
import numpy as np

import data as DT
import detectors as D
import evaluate as E


def detect_all(det, recs, spec):
    sets = {}
    for r in recs:
        im, ax = r.img, 1.0
        if r.squeeze:                                    # undo the 416x416 squeeze (most originals are 4:3 or 3:2)
            ax = 1.4
            im = cv2.resize(im, None, fx=ax, fy=1, interpolation=cv2.INTER_CUBIC)
        b, s, c = det.detect(im, E.passes_for(im, spec))
        cls = 0 if r.folder.startswith("faces") else 1
        g = r.boxes[cls] * [ax, 1, ax, 1]
        if r.folder == "plates-openimages" and len(g):
            g = g[(g[:, 3] - g[:, 1]) >= 6]
        d, t = sets.setdefault(r.folder, ({}, {}))
        d[r.name] = (im.shape[:2], b, s, c)
        t[r.name] = np.array([(cls, *q) for q in g], np.float64).reshape(-1, 5)
    return sets


def report(sets, margin=E.DEFAULT_MARGIN, thrs=(.2, .25, .3, .35, .4, .5)):
    for folder, (d, t) in sets.items():
        for c in ((0, 1) if folder.startswith("neg") else (0,) if folder.startswith("faces") else (1,)):
            for th in thrs:
                r = E.score(d, t, c, (th, th), margin)
                print(f"{folder:18s} {'face plate'.split()[c]:5s} thr {th:.2f} n {r['n']:4d} rec {r['recall']:.3f} cov {r['covered']:.3f} "
                      f"false/img {r['false_per_image']:5.2f} area {r['false_area']:.4f}  bins n {r['bins_n']} rec {r['bins_recall']} cov {r['bins_covered']}", flush=True)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    recs = DT.load(sys.argv[1], sys.argv[2], "val")
    report(detect_all(D.Ours(sys.argv[3]), recs, sys.argv[4] if len(sys.argv) > 4 else "auto"),
           float(sys.argv[5]) if len(sys.argv) > 5 else E.DEFAULT_MARGIN)
