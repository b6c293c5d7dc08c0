"""CPU milliseconds of one 2048x1024 frame, one thread, detectors taken in turns (so that a
busy machine slows all of them alike).

    python bench.py ../weights/streetguard-s.onnx
"""
import sys
import time

import cv2
import numpy as np

import detectors as D
import evaluate as E

cv2.setNumThreads(1)
im = cv2.resize(np.random.default_rng(0).integers(0, 255, (128, 256, 3), dtype=np.uint8), (2048, 1024))
ours = D.Ours(sys.argv[1], thr=(.4, .5))
jobs = {"yunet 1": (D.YuNet(thr=.3), "1"), "centerface 1": (D.CenterFace(thr=.2), "1"), "ppocr 1": (D.PPOCR(), "1"),
        "ours 1": (ours, "1"), "ours recommended passes": (ours, "auto")}
t = {k: [] for k in jobs}
for _ in range(5):
    for k, (d, p) in jobs.items():
        a = time.process_time()
        d.detect(im, E.passes_for(im, p))
        t[k].append((time.process_time() - a) * 1e3)
for k, v in t.items():
    print(f"{k:26s} best {min(v):6.0f} ms   median {sorted(v)[len(v) // 2]:6.0f} ms")
