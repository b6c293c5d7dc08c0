"""Roadcomb's detector against deface (PyPI, CenterFace) on the same frames, taking turns.

    pip install -r benchmarks/vision/requirements.txt
    python benchmarks/vision/compare_deface.py --roadcomb bin/roadcomb --frames DIR --faces DIR [--rounds 3]

--frames: pictures to time, looked at whole by both. --faces: pictures with ground_truth.csv (file,class,x,y,w,h) to
compare recall on. Detection is timed in frames a second (roadcomb looks at as many frames side by side as there are cores, deface
lets one frame use them all; decoding is in ours alone), in wall time of one frame as each program reports it, and in processor
time of the process, because other work on the machine disturbs the former. ONNX Runtime's threads in deface leave the cores that
taskset holds them to. deface runs with its defaults (threshold 0.2, mask 1.3
times the box, an ellipse); what it covers is counted with that ellipse, ours with the rectangle and its margin.
Prints one JSON object, or a table with --markdown.
"""
import argparse
import contextlib
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from deface.centerface import CenterFace


def cpu(who):
    u = resource.getrusage(who)
    return u.ru_utime + u.ru_stime


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def score(truth, found, shape, grow, ellipse):
    """Counts (found at IoU >= 0.5, covered >= 90 %) of the truth, and the boxes that match nothing."""
    taken, hit = set(), 0
    for f in sorted(found, key=lambda f: -f[4]):
        best = max(((iou(f, t), i) for i, t in enumerate(truth) if i not in taken), default=(0, -1))
        if best[0] >= 0.5:
            taken.add(best[1])
            hit += 1
    false = sum(all(iou(f, t) < 0.5 for t in truth) for f in found)
    mask = np.zeros(shape[:2], np.uint8)
    for x, y, w, h, _ in found:
        dx, dy = max(w * grow, 2), max(h * grow, 2)
        x0, y0, x1, y1 = (int(round(v)) for v in (x - dx, y - dy, x + w + dx, y + h + dy))
        if ellipse:
            cv2.ellipse(mask, ((x0 + x1) // 2, (y0 + y1) // 2), (max(1, (x1 - x0) // 2), max(1, (y1 - y0) // 2)), 0, 0, 360, 1, -1)
        else:
            mask[max(y0, 0):max(y1, 0), max(x0, 0):max(x1, 0)] = 1
    covered = 0
    for x, y, w, h in truth:
        part = mask[max(int(round(y)), 0):int(round(y + h)), max(int(round(x)), 0):int(round(x + w))]
        covered += part.size == 0 or part.mean() >= 0.9
    return hit, covered, false


def ours(program, paths):
    before, began = cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run([program, "detect", "--json", *map(str, paths)], check=True, capture_output=True, text=True).stdout
    spent, took = cpu(resource.RUSAGE_CHILDREN) - before, time.perf_counter() - began
    lines = [json.loads(l) for l in out.splitlines()]
    return lines, spent, took


def main():
    with contextlib.ExitStack() as stack:
        compare(stack)


def compare(stack):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--roadcomb", required=True)
    p.add_argument("--frames", required=True)
    p.add_argument("--faces", required=True)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--limit", type=int, default=4, help="frames to time")
    p.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), help="scale frames to this width and cut them to this height")
    p.add_argument("--markdown", action="store_true")
    p.add_argument("--margin", type=float, default=0.15)
    a = p.parse_args()
    with contextlib.redirect_stdout(sys.stderr):  # it says what it runs on
        net = CenterFace(backend="onnxrt")
    frames = sorted(q for q in Path(a.frames).iterdir() if q.suffix.lower() in (".jpg", ".jpeg", ".png"))[: a.limit]
    if a.size:
        w, h = a.size
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for i, f in enumerate(frames):
            img = cv2.imread(str(f))
            tall = round(img.shape[0] * w / img.shape[1])
            if tall < h:
                raise SystemExit(f"{f} is flatter than {w} x {h}")
            top = (tall - h) // 2
            frames[i] = folder / f"{i}.jpg"
            cv2.imwrite(str(frames[i]), cv2.resize(img, (w, tall))[top : top + h], [cv2.IMWRITE_JPEG_QUALITY, 92])
    pictures = [cv2.imread(str(f)) for f in frames]
    net(pictures[0])  # loading and first-run set-up are nobody's frame
    _, startup, start_wall = ours(a.roadcomb, frames[:1])
    wall, proc = {"deface": [], "roadcomb": []}, {"deface": [], "roadcomb": []}
    rate = {"deface": [], "roadcomb": []}  # frames a second, as many side by side as the program takes
    for _ in range(a.rounds):
        began = time.perf_counter()
        for img in pictures:
            t, c = time.perf_counter(), cpu(resource.RUSAGE_SELF)
            net(img, threshold=0.2)
            wall["deface"].append(1000 * (time.perf_counter() - t))
            proc["deface"].append(1000 * (cpu(resource.RUSAGE_SELF) - c))
        rate["deface"].append(len(pictures) / (time.perf_counter() - began))
        lines, spent, took = ours(a.roadcomb, frames * 4)
        wall["roadcomb"] += [l["ms"] for l in lines]
        # What one frame more costs: starting the program is in both runs.
        proc["roadcomb"].append(1000 * max(spent - startup, 0) / max(len(lines) - 1, 1))
        rate["roadcomb"].append((len(lines) - 1) / max(took - start_wall, 1e-9))
    truth = {}
    for row in csv.DictReader(open(Path(a.faces) / "ground_truth.csv")):
        if row["class"] == "face":
            truth.setdefault(row["file"], []).append(tuple(float(row[k]) for k in "xywh"))
    names = sorted(truth)
    found, _, _ = ours(a.roadcomb, [Path(a.faces) / n for n in names])
    sums = {"deface": np.zeros(3), "roadcomb": np.zeros(3)}
    for n, line in zip(names, found):
        img = cv2.imread(str(Path(a.faces) / n))
        dets, _ = net(img, threshold=0.2)
        theirs = [(x0, y0, x1 - x0, y1 - y0, s) for x0, y0, x1, y1, s in dets]
        mine = [(b["x"], b["y"], b["w"], b["h"], b["confidence"]) for b in line["boxes"] if b["class"] == "face"]
        sums["deface"] += score(truth[n], theirs, img.shape, 0.15, True)
        sums["roadcomb"] += score(truth[n], mine, img.shape, a.margin, False)
    boxes = sum(map(len, truth.values()))
    h, w = pictures[0].shape[:2]
    report = {
        "frames": {"size": [w, h], "count": len(frames), "rounds": a.rounds},
        "ms_wall_median": {k: round(statistics.median(v), 1) for k, v in wall.items()},
        "ms_cpu_median": {k: round(statistics.median(v), 1) for k, v in proc.items()},
        "frames_per_s_median": {k: round(statistics.median(v), 2) for k, v in rate.items()},
        "speed_ratio": round(statistics.median(rate["roadcomb"]) / max(statistics.median(rate["deface"]), 1e-9), 2),
        "speed_ratio_cpu": round(statistics.median(proc["deface"]) / max(statistics.median(proc["roadcomb"]), 1e-9), 2),
        "faces": {"images": len(names), "boxes": boxes, **{k: {"recall": round(v[0] / boxes, 4), "covered": round(v[1] / boxes, 4), "false_per_image": round(v[2] / len(names), 2)} for k, v in sums.items()}},
    }
    if not a.markdown:
        print(json.dumps(report, indent=2))
        return
    print(f"{len(frames)} frames of {w} x {h}, {a.rounds} rounds; speed, roadcomb over deface: {report['speed_ratio']} by frames a second, {report['speed_ratio_cpu']} by processor time\n")
    print("| detection | frames/s | ms wall of one | ms processor | recall | covered | false boxes an image |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for k, v in sums.items():
        f = report["faces"][k]
        print(f"| {k} | {report['frames_per_s_median'][k]} | {report['ms_wall_median'][k]} | {report['ms_cpu_median'][k]} | {f['recall']:.3f} | {f['covered']:.3f} | {f['false_per_image']} |")


if __name__ == "__main__":
    main()
