"""Measure a detector on a folder of images with ground_truth.csv (file,class,x,y,w,h).

    python evaluate.py --det ours:../weights/streetguard-s.onnx --images DIR --cls face
    python evaluate.py --det centerface --images DIR --cls face --passes 1,2

Printed per class and size bin (SHORTER side of the labelled box: <16, 16-32, 32-64, >64 px):
  recall     labelled boxes matched one to one at IoU >= 0.5 (greedy, best score first)
  covered    labelled boxes with >= 90 % of their area under the union of all boxes of any
             class, after the margin: what a redaction really hides
  false/img  boxes of the class with less than half of their own area on labelled boxes
  false area share of all pixels under such boxes (after the margin)
  ms/Mpx     CPU time of detect() per source megapixel, one thread, all passes (CPU time, since
             wall time on a shared machine says little)
"""
import argparse
import csv
import json
import os
import time

import cv2
import numpy as np

import detectors as D

BINS = ((0, 16), (16, 32), (32, 64), (64, 1e9))
DEFAULT_MARGIN = 0.15


def load_truth(d):
    gt = {}
    for r in csv.DictReader(open(os.path.join(d, "ground_truth.csv"))):
        x, y, w, h = (float(r[k]) for k in "xywh")
        gt.setdefault(r["file"], []).append((0 if r["class"] == "face" else 1, x, y, x + w, y + h))
    return {f: np.array(v, np.float64) for f, v in gt.items()}


def passes_for(img, spec):
    """spec 'auto' = the recommended passes; else comma-separated whole-frame scales."""
    mpx = img.shape[0] * img.shape[1] / 1e6
    if spec == "auto":
        return ((.5, 0, 1), (1, 0, 1), (2, 0, 1)) if mpx < 1.0 else ((.5, 0, 1), (1, 0, 1), (2, .36, .62))
    return tuple((float(s), 0., 1.) for s in spec.split(","))


def grow(b, m):
    w, h = (b[:, 2] - b[:, 0]) * m, (b[:, 3] - b[:, 1]) * m
    return b + np.stack([-w, -h, w, h], 1)


def iou(a, b):
    iw = np.clip(np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0]), 0, None)
    ih = np.clip(np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1]), 0, None)
    i = iw * ih
    ar = lambda t: (t[:, 2] - t[:, 0]) * (t[:, 3] - t[:, 1])
    return i / np.maximum(ar(a)[:, None] + ar(b)[None] - i, 1e-9)


def run(det, images, spec, files=None):
    """Detections of every image, kept at the detector's own low threshold."""
    out, sec, mpx = {}, 0., 0.
    for f in sorted(files or [f for f in os.listdir(images) if f.lower().endswith((".jpg", ".jpeg", ".png"))]):
        im = cv2.imread(os.path.join(images, f))
        p = passes_for(im, spec)
        t = time.process_time()
        b, s, c = det.detect(im, p)
        sec += time.process_time() - t
        mpx += im.shape[0] * im.shape[1] / 1e6
        out[f] = (im.shape[:2], b, s, c)
    return out, sec / max(mpx, 1e-9) * 1e3


def score(dets, gt, cls, thr, margin=DEFAULT_MARGIN, complete=True):
    """thr: per class (face, plate). gt: {file: array(class, box)}."""
    n = np.zeros(4); hit = np.zeros(4); cov = np.zeros(4)
    false = area = total = 0.
    for f, (hw, b, s, c) in dets.items():
        k = s >= np.where(c == 0, thr[0], thr[1])
        b, s, c = b[k], s[k], c[k]
        g = gt.get(f, np.zeros((0, 5)))
        g = g[g[:, 0] == cls, 1:]
        m = np.zeros(hw, np.uint8)
        fb = np.zeros(hw, np.uint8)
        gm = np.zeros(hw, np.uint8)
        for q in g:
            gm[int(q[1]):int(np.ceil(q[3])), int(q[0]):int(np.ceil(q[2]))] = 1
        for q, cc in zip(grow(b, margin), c):
            m[max(0, int(q[1])):max(0, int(np.ceil(q[3]))), max(0, int(q[0])):max(0, int(np.ceil(q[2])))] = 1
        mine = b[c == cls]
        for q, e in zip(mine, grow(mine, margin)):
            p = gm[int(q[1]):int(np.ceil(q[3])), int(q[0]):int(np.ceil(q[2]))]
            if p.size and p.mean() < .5:
                false += 1
                fb[max(0, int(e[1])):max(0, int(np.ceil(e[3]))), max(0, int(e[0])):max(0, int(np.ceil(e[2])))] = 1
        area += fb.sum(); total += fb.size
        if not len(g):
            continue
        side = np.minimum(g[:, 2] - g[:, 0], g[:, 3] - g[:, 1])
        bn = np.array([next(i for i, (lo, hi) in enumerate(BINS) if lo <= v < hi) for v in side])
        free = np.ones(len(g), bool)
        if len(mine):
            o = iou(mine, g)
            for i in np.argsort(-s[c == cls]):
                j = int(np.argmax(np.where(free, o[i], -1)))
                if free[j] and o[i, j] >= .5:
                    free[j] = False
                    hit[bn[j]] += 1
        for q, i in zip(g, bn):
            n[i] += 1
            p = m[int(q[1]):int(np.ceil(q[3])), int(q[0]):int(np.ceil(q[2]))]
            cov[i] += p.size > 0 and p.mean() >= .9
    r = lambda a: [round(float(x / y), 3) if y else None for x, y in zip(a, n)]
    return dict(n=int(n.sum()), recall=round(float(hit.sum() / max(n.sum(), 1)), 4), covered=round(float(cov.sum() / max(n.sum(), 1)), 4),
                false_per_image=round(false / max(len(dets), 1), 2), false_area=round(area / max(total, 1), 4),
                bins_n=n.astype(int).tolist(), bins_recall=r(hit), bins_covered=r(cov))


def make(spec):
    kind, _, arg = spec.partition(":")
    return {"ours": lambda: D.Ours(arg), "yunet": lambda: D.YuNet(), "centerface": lambda: D.CenterFace(),
            "blazeface": lambda: D.BlazeFace(tile=int(arg or 0)), "ppocr": lambda: D.PPOCR(),
            "haar-face": lambda: D.Haar(["haarcascade_frontalface_default.xml", "haarcascade_profileface.xml"], 0),
            "haar-plate": lambda: D.Haar(["haarcascade_russian_plate_number.xml"], 1)}[kind]()


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--det", required=True); ap.add_argument("--images", required=True)
    ap.add_argument("--cls", choices=("face", "plate"), required=True)
    ap.add_argument("--passes", default="auto"); ap.add_argument("--thr", default="0.3")
    ap.add_argument("--margin", type=float, default=DEFAULT_MARGIN)
    a = ap.parse_args()
    cv2.setNumThreads(1)
    dets, ms = run(make(a.det), a.images, a.passes)
    gt = load_truth(a.images)
    for t in a.thr.split(","):
        r = score(dets, gt, 0 if a.cls == "face" else 1, (float(t), float(t)), a.margin)
        print(json.dumps(dict(det=a.det, images=os.path.basename(a.images.rstrip("/")), passes=a.passes, thr=float(t),
                              margin=a.margin, ms_per_mpx=round(ms, 1), **r)), flush=True)
