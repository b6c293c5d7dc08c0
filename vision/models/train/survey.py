"""Every alternative on the two shared test sets, one thread; one JSON line per row.

    python survey.py DATA_DIR ours.onnx > survey.jsonl

The alternatives run at the thresholds their own projects use, and at a lower one
where privacy would want it.  Nothing is tuned on these sets.
"""
import json
import os
import sys

import cv2

import evaluate as E

ROWS = [  # detector, class, set, passes, thresholds
    ("yunet", "face", "faces-street", "1", (.6, .3)),
    ("yunet", "face", "faces-street", "2", (.6, .3)),
    ("yunet", "face", "faces-street", "1,2", (.3,)),
    ("centerface", "face", "faces-street", "1", (.2, .5)),
    ("centerface", "face", "faces-street", "2", (.2,)),
    ("centerface", "face", "faces-street", "1,2", (.2,)),
    ("blazeface:0", "face", "faces-street", "1", (.5,)),
    ("blazeface:128", "face", "faces-street", "1", (.5,)),
    ("haar-face", "face", "faces-street", "1", (.5,)),
    ("haar-face", "face", "faces-street", "2", (.5,)),
    ("haar-plate", "plate", "plates-us", "1", (.5,)),
    ("ppocr", "plate", "plates-us", "1", (.6,)),
]


def main(data, ours=None):
    cv2.setNumThreads(1)
    rows = list(ROWS)
    if ours:
        thr = json.load(open(os.path.splitext(ours)[0] + ".json"))["thresholds"]
        t = (thr["face"], thr["plate"])
        rows = [(f"ours:{ours}", "face", "faces-street", p, (t,)) for p in ("1", "auto")] + \
               [(f"ours:{ours}", "plate", "plates-us", p, (t,)) for p in ("1", "auto")] + rows
    for det, cls, st, p, thrs in rows:
        d, ms = E.run(E.make(det), os.path.join(data, st), p)
        gt = E.load_truth(os.path.join(data, st))
        for th in thrs:
            tt = th if isinstance(th, tuple) else (th, th)
            for m in (.10, .15):
                r = E.score(d, gt, int(cls == "plate"), tt, m)
                print(json.dumps(dict(det=det.split("/")[-1], set=st, cls=cls, passes=p, thr=th, margin=m, ms_per_mpx=round(ms), **r)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
