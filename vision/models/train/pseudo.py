"""Face pseudo-labels for the training images only (never for test sets).

Faces are visible but unlabelled in the plate folders, and some small or turned
heads are unlabelled in the face folder.  Two teachers (CenterFace, YuNet) look
at native size and x2: strong finds in plate folders become labels, weak ones
become 'ignore' regions.

    python pseudo.py TRAIN_DIR out.json
"""
import csv
import json
import os
import sys

import cv2
import numpy as np

import detectors as D


def iou(a, b):
    x1, y1 = np.maximum(a[:, None, 0], b[None, :, 0]), np.maximum(a[:, None, 1], b[None, :, 1])
    x2, y2 = np.minimum(a[:, None, 2], b[None, :, 2]), np.minimum(a[:, None, 3], b[None, :, 3])
    i = np.clip(x2 - x1, 0, None) * np.clip(y2 - y1, 0, None)
    ar = lambda t: (t[:, 2] - t[:, 0]) * (t[:, 3] - t[:, 1])
    return i / np.maximum(ar(a)[:, None] + ar(b)[None] - i, 1e-9)


def main(root, out):
    cv2.setNumThreads(1)
    yu, cf = D.YuNet(thr=.25), D.CenterFace(thr=.15)
    res = {}
    for folder in sorted(os.listdir(root)):
        d = os.path.join(root, folder)
        if not os.path.isdir(d):
            continue
        for f in sorted(os.listdir(d)):
            if not f.endswith(".jpg"):
                continue
            im = cv2.imread(os.path.join(d, f))
            big = im.shape[0] * im.shape[1] > 5e5
            passes = ((1., 0, 1),) if big else ((1., 0, 1), (2., 0, 1))
            found = []
            for det, lo in ((cf, .15), (yu, .25)):
                b, s, _ = det.detect(im, passes)
                found.append((b, s))
            b = np.concatenate([x[0] for x in found]); s = np.concatenate([x[1] for x in found])
            if len(b):
                # agreement of the two teachers lifts the score
                if len(found[0][0]) and len(found[1][0]):
                    o = iou(b, b)
                    n = len(found[0][0])
                    agree = np.concatenate([o[:n, n:].max(1), o[n:, :n].max(1)]) > .4
                    s = np.where(agree, np.minimum(1, s + .2), s)
                k = D.nms(b, s, .4)
                b, s = b[k], s[k]
            res[f"{folder}/{f}"] = [[*map(lambda v: round(float(v), 1), bb), round(float(ss), 3)] for bb, ss in zip(b, s)]
        print(folder, len(res), flush=True)
        json.dump(res, open(out, "w"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
