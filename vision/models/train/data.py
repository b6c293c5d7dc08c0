"""Training samples: 256x256 canvases built from one, four or sixteen tiles.

Each tile is a crop of a real picture scaled so that one chosen face or plate
gets a size drawn at random (skewed to small); plates are then often replaced
by synthetic ones, and faces, vehicle rears and road signs are pasted in.
A canvas comes with its boxes and, per class, a mask of what is NOT known to be
background (folders label one class only; see the traps in the data card).
"""
import csv
import json
import os
import zlib

import cv2
import numpy as np

import plates as P
import texture as X

FACE, PLATE = 0, 1
S = 256
NONE = np.zeros((0, 4), np.float32)


def split_of(folder, name):
    """Held-out part: by time for the drives, by hash elsewhere; all of plates-cc0 (weak
    licence: never trained on, so it serves as the out-of-domain check)."""
    if folder == "plates-cc0":
        return "val"
    if folder == "plates-ro":
        return None                                     # decided per drive in load()
    return "val" if zlib.crc32(name.encode()) % 10 == 0 else "train"


def inter_over(a, b):
    """Intersection of box a with boxes b over the area of each b."""
    iw = np.clip(np.minimum(a[2], b[:, 2]) - np.maximum(a[0], b[:, 0]), 0, None)
    ih = np.clip(np.minimum(a[3], b[:, 3]) - np.maximum(a[1], b[:, 1]), 0, None)
    return iw * ih / np.maximum((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]), 1e-6)


class Rec:
    """One picture: boxes[c], ignore[c] (arrays n x 4) and known[c]:
    'all' background is background, 'near' only around labelled boxes, 'none' never."""
    __slots__ = ("img", "name", "folder", "boxes", "ignore", "known", "squeeze", "plain", "hard")


def load(root, pseudo, split="train", own=None):
    """own: optional finds of an earlier round (mine.py), {file: [[x1,y1,x2,y2,score,class]]}.  Plates
    it found where a folder does not label them become 'ignore', the rest of such pictures becomes
    background; its false finds on known background become places to look at again (Rec.hard)."""
    ps = json.load(open(pseudo))
    own = json.load(open(own)) if own else {}
    recs = []
    E = NONE
    for folder in sorted(os.listdir(root)):
        d = os.path.join(root, folder)
        if not os.path.isdir(d):
            continue
        gt, plain = {}, {}
        for r in csv.DictReader(open(os.path.join(d, "ground_truth.csv"))):
            x, y, w, h = (float(r[k]) for k in "xywh")
            gt.setdefault(r["file"], []).append([x, y, x + w, y + h])
            if r.get("mask") == "without_mask":
                plain.setdefault(r["file"], []).append(len(gt[r["file"]]) - 1)
        files = sorted(f for f in os.listdir(d) if f.endswith(".jpg"))
        held = set()
        if folder == "plates-ro":
            drives = {}
            for f in files:
                a, t = f[:-4].rsplit("_t", 1)
                drives.setdefault(a, []).append((int(t), f))
            for v in drives.values():                   # last 12 % of each drive
                v.sort()
                held |= {f for _, f in v[int(len(v) * .88):]}
        for f in files:
            sp = split_of(folder, f)
            if sp is None:
                sp = "val" if f in held else "train"
            if sp != split:
                continue
            r = Rec()
            r.img = cv2.imread(os.path.join(d, f))
            r.name, r.folder, r.squeeze = f, folder, folder == "plates-openimages"
            g = np.array(gt.get(f, []), np.float32).reshape(-1, 4)
            t = np.array(ps.get(f"{folder}/{f}", []), np.float32).reshape(-1, 5)
            both = np.array(own.get(f"{folder}/{f}", []), np.float32).reshape(-1, 6)
            t = t[t[:, 4] >= .3]                       # weaker teacher finds are mostly noise
            # unlabelled plates are common in the drives, rare elsewhere: there only a sure find is ignored
            o = both[(both[:, 5] == PLATE) & (both[:, 4] >= (.4 if folder == "plates-ro" else .6)), :5]
            r.plain = plain.get(f, [])
            r.boxes, r.ignore, r.known = [E, E], [E, E], ["all", "all"]
            if folder.startswith("faces"):
                free = np.array([len(g) == 0 or max(inter_over(b[:4], g).max(), inter_over_max(b[:4], g)) < .3 for b in t], bool)
                t = t[free] if len(t) else t
                r.boxes[FACE] = np.concatenate([g, t[t[:, 4] >= .75, :4]])
                r.ignore[FACE] = t[t[:, 4] < .75, :4]
                r.known[PLATE] = "all" if own else "none"
                r.ignore[PLATE] = o[:, :4]
            elif folder.startswith("plates"):
                r.boxes[PLATE] = g
                r.boxes[FACE] = t[t[:, 4] >= .6, :4]
                r.ignore[FACE] = t[t[:, 4] < .6, :4]
                if folder == "plates-ro":
                    r.known[PLATE] = "near"
                    if own:
                        r.known[PLATE] = "all"
                if len(o):
                    free = [len(g) == 0 or inter_over(b[:4], g).max() < .1 for b in o]
                    r.ignore[PLATE] = o[np.array(free, bool), :4]
            elif folder == "negatives-road":
                r.ignore[FACE] = t[t[:, 4] >= .4, :4]
            r.hard = []
            for b in both:
                c = int(b[5])
                seen = np.concatenate([r.boxes[0], r.boxes[1], r.ignore[c]])
                if c == FACE and folder.startswith("faces"):     # may be a face that nobody labelled
                    continue
                if r.known[c] == "all" and b[4] >= .3 and (not len(seen) or
                                                         max(inter_over_max(b[:4], seen), inter_over(b[:4], seen).max()) < .1):
                    r.hard.append(b[:4])
            recs.append(r)
    return recs


def drawn(rng):
    r = Rec()
    r.img, r.name, r.folder, r.squeeze, r.plain, r.hard = X.clutter(rng, 320), "", "drawn", False, [], []
    r.boxes, r.ignore, r.known = [NONE, NONE], [NONE, NONE], ["all", "all"]
    return r


def inter_over_max(a, bs):
    """Largest share of box a that one of bs covers."""
    if not len(bs):
        return 0.
    iw = np.clip(np.minimum(a[2], bs[:, 2]) - np.maximum(a[0], bs[:, 0]), 0, None)
    ih = np.clip(np.minimum(a[3], bs[:, 3]) - np.maximum(a[1], bs[:, 1]), 0, None)
    return float((iw * ih).max() / max((a[2] - a[0]) * (a[3] - a[1]), 1e-6))


def warp_into(dst, tex, quad, gain=1.0, soft=0.0):
    """Blend an RGBA texture into dst at a quad (4x2, clockwise from top-left)."""
    h, w = tex.shape[:2]
    H, Wd = dst.shape[:2]
    x0, y0 = np.floor(quad.min(0)).astype(int) - 2
    x1, y1 = np.ceil(quad.max(0)).astype(int) + 3
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, Wd), min(y1, H)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    qw = max(2, int(np.ceil(max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])))))
    qh = max(2, int(np.ceil(max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1])))))
    if qw < w:
        tex = cv2.resize(tex, (min(qw * 2, w) if qw * 2 < w else w, min(qh * 2, h)), interpolation=cv2.INTER_AREA)
        tex = cv2.resize(tex, (qw, qh), interpolation=cv2.INTER_AREA) if tex.shape[1] > qw * 1.5 else tex
        h, w = tex.shape[:2]
    M = cv2.getPerspectiveTransform(np.float32([[0, 0], [w, 0], [w, h], [0, h]]), (quad - [x0, y0]).astype(np.float32))
    out = cv2.warpPerspective(tex, M, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    if soft > 0:
        out = cv2.GaussianBlur(out, (0, 0), soft)
    a = out[:, :, 3:4].astype(np.float32) / 255
    d = dst[y0:y1, x0:x1]
    d[:] = np.clip(d * (1 - a) + out[:, :, :3] * (gain * a), 0, 255)


class Maker:
    def __init__(self, recs, seed=0, n_plates=800, n_signs=500, n_drawn=500):
        rng = np.random.default_rng(seed)
        self.recs = recs
        self.faces = [r for r in recs if r.folder == "faces-cc0" and len(r.boxes[FACE])]
        self.plates = {k: [r for r in recs if r.folder == k and len(r.boxes[PLATE])]
                       for k in ("plates-ro", "plates-openimages", "plates-cc0")}
        self.plates = {k: v for k, v in self.plates.items() if v}
        self.plain = [r for r in self.faces if len(r.plain)]
        self.hard = [r for r in recs if len(r.hard)]
        self.negs = [r for r in recs if r.folder.startswith("neg")]
        self.cache = [P.render(rng, P.SPECS[k % len(P.SPECS)]) for k in range(n_plates)]
        self.asp = np.array([c.shape[1] / c.shape[0] for c in self.cache])
        self.drawn = [drawn(rng) for _ in range(n_drawn)]
        self.signs = [P.render_sign(rng) for _ in range(n_signs)]
        self.patches, self.bare = [], []                 # faces worth pasting: >= 24 px
        for i, r in enumerate(self.faces):
            for k, b in enumerate(r.boxes[FACE]):
                if min(b[2] - b[0], b[3] - b[1]) >= 24:
                    self.patches.append((i, b))
                    if k in r.plain:
                        self.bare.append((i, b))

    # -- pieces ---------------------------------------------------------------
    def pick_plate(self, rng, asp):
        ok = np.flatnonzero(np.abs(np.log(self.asp / asp)) < .28)
        return self.cache[rng.choice(ok)] if len(ok) else self.cache[rng.integers(len(self.cache))]

    def swap_plate(self, rng, im, b):
        """Replace the plate in box b by a synthetic one lit like the old."""
        x1, y1, x2, y2 = b
        w, h = x2 - x1, y2 - y1
        T = im.shape[0]
        xi, yi, xj, yj = int(max(x1, 0)), int(max(y1, 0)), int(min(x2, T)), int(min(y2, T))
        if xj - xi < 3 or yj - yi < 2:
            return b
        old = im[yi:yj, xi:xj].reshape(-1, 3).mean()
        p = self.pick_plate(rng, w / max(h, 1e-3))
        j = lambda: rng.uniform(-.02, .05, (4, 2)) * [w, h]
        out = np.float32([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        q = np.float32([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) + j() * out
        g = np.clip(old / max(p[:, :, :3].mean(), 20), .15, 1.6) * rng.uniform(.8, 1.25)
        warp_into(im, p, q, float(np.clip(g, .15, 1.3)), rng.uniform(.2, .8) if rng.random() < .5 else 0)
        return np.array([*q.min(0), *q.max(0)], np.float32)

    def paste_plate(self, rng, im, taken):
        """A synthetic plate on its own dark or painted surround, with perspective."""
        T = im.shape[0]
        p = self.cache[rng.integers(len(self.cache))]
        asp = p.shape[1] / p.shape[0]
        w = float(np.exp(rng.uniform(np.log(9), np.log(T * .7))))
        h = w / asp
        if h < 3.5:
            h = 3.5; w = h * asp
        squeeze = rng.uniform(.6, 1.0) if rng.random() < .4 else 1.0          # seen from the side
        w *= squeeze
        if w > T * .9 or h > T * .6:
            return None
        cx, cy = rng.uniform(w * .5, T - w * .5), rng.uniform(h * .6, T - h * .6)
        q = np.float32([[-.5, -.5], [.5, -.5], [.5, .5], [-.5, .5]]) * [w, h]
        sl = np.tan(np.radians(rng.normal(0, 5)))
        q[:, 1] += q[:, 0] * sl                                               # roll / side view
        k = rng.normal(0, .06)
        q[:, 1] *= 1 + np.sign(q[:, 0]) * k
        q = (q + [cx, cy]).astype(np.float32)
        b = np.array([*q.min(0), *q.max(0)], np.float32)
        if len(taken) and inter_over(b, taken).max() > .05:
            return None
        around = im[max(0, int(b[1] - h)):int(b[3] + h), max(0, int(b[0] - h)):int(b[2] + h)]
        lum = around.mean()
        if rng.random() < .75:                                                # bumper or boot lid
            c = rng.uniform(5, 200, 3) if rng.random() < .5 else np.full(3, rng.uniform(8, 230))
            m = float(np.clip(lum / 110, .25, 1.4))
            tex = np.zeros((48, 96, 4), np.uint8)
            grad = np.linspace(rng.uniform(.6, 1.1), rng.uniform(.5, 1.1), 48)[:, None, None]
            tex[:, :, :3] = np.clip(c * grad * m, 0, 255)
            al = np.zeros((48, 96), np.uint8)
            cv2.rectangle(al, (6, 6), (90, 42), 255, -1)
            tex[:, :, 3] = cv2.GaussianBlur(al, (0, 0), rng.uniform(.5, 3))
            if rng.random() < .4:                                             # lamps
                for sx in (8, 74):
                    cv2.rectangle(tex, (sx, 8), (sx + 14, 18), (30, 30, int(rng.uniform(120, 255)), 255), -1)
            ex = (q - [cx, cy]) * [rng.uniform(1.2, 2.6), rng.uniform(1.4, 4)] + [cx, cy]
            warp_into(im, tex, ex.astype(np.float32))
        warp_into(im, p, q, float(np.clip(lum / 140 * rng.uniform(.8, 1.5), .2, 1.25)), rng.uniform(.2, .9) if rng.random() < .6 else 0)
        return b

    def paste_sign(self, rng, im, taken):
        T = im.shape[0]
        p = self.signs[rng.integers(len(self.signs))]
        w = float(np.exp(rng.uniform(np.log(12), np.log(T * .6))))
        h = w * p.shape[0] / p.shape[1]
        if h > T * .6:
            return
        x, y = rng.uniform(0, T - w), rng.uniform(0, T - h)
        b = np.array([x, y, x + w, y + h], np.float32)
        if len(taken) and inter_over(b, taken).max() > .02:
            return
        q = np.float32([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) + rng.normal(0, .04, (4, 2)) * [w, h]
        lum = im[int(y):int(y + h) + 1, int(x):int(x + w) + 1].mean()
        warp_into(im, p, q.astype(np.float32), float(np.clip(lum / 120 * rng.uniform(.7, 1.4), .2, 1.2)), rng.uniform(.2, .9) if rng.random() < .6 else 0)

    def paste_face(self, rng, im, taken):
        T = im.shape[0]
        pool = self.bare if self.bare and rng.random() < .5 else self.patches
        i, b = pool[rng.integers(len(pool))]
        src = self.faces[i].img
        bw, bh = b[2] - b[0], b[3] - b[1]
        t = float(np.exp(rng.uniform(np.log(7), np.log(min(40, T * .5)))))     # target size
        s = t / np.sqrt(bw * bh)
        m = .5
        X0, Y0, X1, Y1 = b[0] - m * bw, b[1] - .45 * bh, b[2] + m * bw, b[3] + .7 * bh
        xi, yi, xj, yj = int(max(X0, 0)), int(max(Y0, 0)), int(min(X1, src.shape[1])), int(min(Y1, src.shape[0]))
        p = src[yi:yj, xi:xj]
        nw, nh = max(4, round((xj - xi) * s)), max(4, round((yj - yi) * s))
        if nw >= T or nh >= T:
            return None
        p = cv2.resize(p, (nw, nh), interpolation=cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR)
        fb = (b - [xi, yi, xi, yi]) * np.tile([nw / (xj - xi), nh / (yj - yi)], 2)
        if rng.random() < .5:
            p = p[:, ::-1]
            fb = np.array([nw - fb[2], fb[1], nw - fb[0], fb[3]])
        x, y = int(rng.integers(0, T - nw)), int(rng.integers(0, T - nh))
        nb = (fb + [x, y, x, y]).astype(np.float32)
        if len(taken) and inter_over(np.array([x, y, x + nw, y + nh], np.float32), taken).max() > .05:
            return None
        a = np.zeros((nh, nw), np.float32)
        cv2.ellipse(a, (nw // 2, nh // 2), (max(1, int(nw * .46)), max(1, int(nh * .47))), 0, 0, 360, 1, -1)
        a = cv2.GaussianBlur(a, (0, 0), max(.5, nw * .04))[..., None]
        if rng.random() < .3:
            a = np.ones_like(a)
        d = im[y:y + nh, x:x + nw]
        g = np.clip(d.mean() / max(p.mean(), 10), .4, 1.5) ** rng.uniform(0, 1)
        d[:] = np.clip(d * (1 - a) + p * (g * a), 0, 255)
        return nb

    # -- one tile ---------------------------------------------------------------
    def tile(self, rng, T):
        u = rng.random()
        kind = FACE if u < .35 else PLATE if u < .74 else None
        focus = None
        if kind == FACE:                                 # five of six labelled faces wear a mask: even that out
            bare = self.plain and rng.random() < .4
            pool = self.plain if bare else self.faces
            r = pool[rng.integers(len(pool))]
            if bare:
                focus = r.boxes[FACE][r.plain[rng.integers(len(r.plain))]]
        elif kind is None and self.hard and rng.random() < .4:
            r = self.hard[rng.integers(len(self.hard))]
            focus = r.hard[rng.integers(len(r.hard))]
        elif kind == PLATE:
            names = list(self.plates)
            w = np.array([{"plates-ro": .42, "plates-openimages": .58, "plates-cc0": .5}[n] for n in names])
            v = self.plates[names[rng.choice(len(names), p=w / w.sum())]]
            r = v[rng.integers(len(v))]
        elif rng.random() < .3:                          # a drawn picture: nothing in it is a face or a plate
            r = self.drawn[rng.integers(len(self.drawn))]
        else:                                            # streets: for faces, the drives are background too
            u = rng.random()
            pool = self.negs if u < .5 else self.plates["plates-openimages" if u < .7 else "plates-ro"]
            r = pool[rng.integers(len(pool))]
        H, Wd = r.img.shape[:2]
        ax = rng.uniform(1.0, 1.5) if r.squeeze else rng.uniform(.92, 1.08)
        smin = max(T / H, T / (Wd * ax))
        if kind is None and focus is not None:
            s = float(np.clip(rng.uniform(.5, 2.), smin, 2.5))
            fx, fy = (focus[0] + focus[2]) / 2, (focus[1] + focus[3]) / 2
        elif kind is None:
            s = smin * float(np.exp(rng.uniform(0, np.log(3))))
            fx, fy = rng.uniform(0, Wd), rng.uniform(0, H)
        else:
            b = focus if focus is not None else r.boxes[kind][rng.integers(len(r.boxes[kind]))]
            if kind == FACE:
                size = np.sqrt((b[2] - b[0]) * (b[3] - b[1]) * ax)
                t = np.exp(rng.uniform(np.log(6), np.log({256: 190, 128: 80, 64: 36}[T])))
            else:
                size = (b[2] - b[0]) * ax
                t = np.exp(rng.uniform(np.log(11), np.log({256: 250, 128: 110, 64: 56}[T])))
            s = max(smin, min(t / size, 2.5))
            fx, fy = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
        sx, sy = s * ax, s
        cw, ch = T / sx, T / sy
        x0 = np.clip(fx - rng.uniform(.08, .92) * cw, 0, max(Wd - cw, 0))
        y0 = np.clip(fy - rng.uniform(.08, .92) * ch, 0, max(H - ch, 0))
        xi, yi = int(x0), int(y0)
        xj, yj = min(Wd, max(xi + 2, int(np.ceil(x0 + cw)))), min(H, max(yi + 2, int(np.ceil(y0 + ch))))
        crop = r.img[yi:yj, xi:xj]
        sx, sy = T / (xj - xi), T / (yj - yi)
        if min(sx, sy) < 1:
            im = cv2.resize(crop, (T, T), interpolation=cv2.INTER_AREA if rng.random() < .7 else cv2.INTER_LINEAR)
        else:
            im = cv2.resize(crop, (T, T), interpolation=cv2.INTER_CUBIC if rng.random() < .5 else cv2.INTER_LINEAR)
        if r.folder == "plates-ro" and rng.random() < .6:       # no infrared filter: undo the magenta cast
            m = im.reshape(-1, 3).mean(0) + 4
            im = np.clip(im * (m.mean() / m), 0, 255).astype(np.uint8)
        flip = rng.random() < (.5 if kind != PLATE else .3)
        if flip:
            im = np.ascontiguousarray(im[:, ::-1])

        def to(bs):
            o = (bs - [xi, yi, xi, yi]) * [sx, sy, sx, sy]
            if flip:
                o = np.stack([T - o[:, 2], o[:, 1], T - o[:, 0], o[:, 3]], 1)
            return o.astype(np.float32)

        gts, ign = [], np.zeros((2, T // 4, T // 4), np.uint8)

        def mask(c, bs, v=1, grow=0.):
            for q in bs:
                gx, gy = grow * (q[2] - q[0]), grow * (q[2] - q[0])
                ign[c, max(0, int((q[1] - gy) // 4)):max(0, int(np.ceil((q[3] + gy) / 4)) + 1),
                    max(0, int((q[0] - gx) // 4)):max(0, int(np.ceil((q[2] + gx) / 4)) + 1)] = v

        for c in (FACE, PLATE):
            bs = to(r.boxes[c])
            if r.known[c] != "all":
                ign[c] = 1
            if r.known[c] == "near":
                mask(c, bs, 0, 1.2)
            mask(c, to(r.ignore[c]))
            if len(bs):
                vis = inter_over(np.array([0, 0, T, T], np.float32), bs)
                for q, v in zip(bs, vis):
                    if v <= 0:
                        continue
                    q = q.copy()
                    if c == PLATE and rng.random() < .5 and v > .3 and min(q[2] - q[0], (q[3] - q[1])) > 2:
                        q = self.swap_plate(rng, im, q)
                    q = np.clip(q, 0, T)
                    side = min(q[2] - q[0], q[3] - q[1])
                    if v < .45 or side < (4 if c == FACE else 3):
                        mask(c, [q])
                    else:
                        gts.append((c, *q))
        taken = np.array([g[1:] for g in gts], np.float32).reshape(-1, 4)
        add = lambda c, q: (gts.append((c, *np.clip(q, 0, T))), np.concatenate([taken, q[None]]))[1]
        if T >= 128 or rng.random() < .4:
            if rng.random() < (.6 if kind is None else .15):
                q = self.paste_plate(rng, im, taken)
                if q is not None:
                    taken = add(PLATE, q)
            for _ in range(3):
                if rng.random() < (.35 if kind != FACE else .08):
                    q = self.paste_face(rng, im, taken)
                    if q is not None:
                        taken = add(FACE, q)
            for _ in range(2):
                if rng.random() < (.4 if kind is None else .15):
                    self.paste_sign(rng, im, taken)
        if rng.random() < .35:
            im = tone(rng, im, .5)
        return im, gts, ign

    def sample(self, rng):
        n = rng.choice([1, 2, 4], p=[.52, .36, .12])
        T = S // n
        out = np.empty((S, S, 3), np.uint8)
        ign = np.empty((2, S // 4, S // 4), np.uint8)
        gts = []
        for i in range(n):
            for j in range(n):
                im, g, m = self.tile(rng, T)
                out[i * T:i * T + T, j * T:j * T + T] = im
                ign[:, i * T // 4:(i + 1) * T // 4, j * T // 4:(j + 1) * T // 4] = m
                gts += [(c, x1 + j * T, y1 + i * T, x2 + j * T, y2 + i * T) for c, x1, y1, x2, y2 in g]
        out = degrade(rng, tone(rng, out))
        g = np.array(gts, np.float32).reshape(-1, 5)
        return out, g[:60], ign


def tone(rng, im, k=1.0):
    """Brightness, contrast, gamma, colour cast, grey, night."""
    x = im.astype(np.float32)
    if rng.random() < .12 * k:
        x = np.repeat(cv2.cvtColor(im, cv2.COLOR_BGR2GRAY)[..., None], 3, 2).astype(np.float32)
    if rng.random() < .5:
        x *= rng.uniform(.75, 1.25, 3).astype(np.float32)
    if rng.random() < .25:
        hsv = cv2.cvtColor(np.clip(x, 0, 255).astype(np.uint8), cv2.COLOR_BGR2HSV).astype(np.int16)
        hsv[..., 0] = (hsv[..., 0] + int(rng.integers(-12, 13))) % 180
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(.3, 1.6), 0, 255)
        x = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR).astype(np.float32)
    if rng.random() < .7:
        m = x.mean()
        x = (x - m) * rng.uniform(.6, 1.4) + m * rng.uniform(.55, 1.35)
    if rng.random() < .4:
        x = 255 * (np.clip(x, 0, 255) / 255) ** rng.uniform(.55, 1.8)
    if rng.random() < .07 * k:                                   # night: dark, noisy, warm lamps
        x = x * rng.uniform(.12, .4) + rng.normal(0, rng.uniform(2, 9), x.shape)
        x = x * rng.uniform([.7, .8, .9], [1., 1., 1.3]) * rng.uniform(1, 2)
    return np.clip(x, 0, 255).astype(np.uint8)


def degrade(rng, im):
    """What lenses, motion, sensors and codecs do."""
    u = rng.random()
    if u < .18:
        im = cv2.GaussianBlur(im, (0, 0), rng.uniform(.4, 1.5))
    elif u < .28:                                                # motion
        n = int(rng.integers(2, 8)); k = np.zeros((n, n), np.float32)
        a = rng.normal(0, .4) if rng.random() < .75 else rng.uniform(0, np.pi)
        c = (n - 1) / 2
        cv2.line(k, (round(c - np.cos(a) * c), round(c - np.sin(a) * c)), (round(c + np.cos(a) * c), round(c + np.sin(a) * c)), 1, 1)
        im = cv2.filter2D(im, -1, k / max(k.sum(), 1))
    elif u < .36:                                                # enlarged from a smaller frame: what x2 passes see
        f = rng.uniform(.45, .8)
        im = cv2.resize(cv2.resize(im, None, fx=f, fy=f, interpolation=cv2.INTER_AREA), (S, S), interpolation=cv2.INTER_LINEAR)
    elif u < .42:                                                # over-sharpened
        b = cv2.GaussianBlur(im, (0, 0), 1.2)
        im = cv2.addWeighted(im, 1 + (a := rng.uniform(.4, 1.5)), b, -a, 0)
    if rng.random() < .2:
        im = np.clip(im + rng.normal(0, rng.uniform(2, 14), im.shape), 0, 255).astype(np.uint8)
    if rng.random() < .5:
        im = cv2.imdecode(cv2.imencode(".jpg", im, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))])[1], 1)
    return im


if __name__ == "__main__":
    import sys
    import time
    cv2.setNumThreads(1)
    recs = load(sys.argv[1], sys.argv[2])
    print(len(recs), {f: sum(r.folder == f for r in recs) for f in sorted({r.folder for r in recs})})
    mk = Maker(recs, n_plates=400, n_signs=80)
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    t = time.process_time()
    S_ = [mk.sample(rng) for _ in range(24)]
    print("cpu ms per sample", (time.process_time() - t) / 24 * 1e3, "boxes", np.mean([len(g) for _, g, _ in S_]))
    view = []
    for im, g, ign in S_:
        im = im.copy()
        m = cv2.resize(ign.transpose(1, 2, 0), (S, S), interpolation=cv2.INTER_NEAREST)[..., :2]
        im[..., 2][m[..., 0] > 0] = im[..., 2][m[..., 0] > 0] // 2 + 60
        im[..., 0][m[..., 1] > 0] = im[..., 0][m[..., 1] > 0] // 2 + 60
        for c, x1, y1, x2, y2 in g:
            cv2.rectangle(im, (int(x1), int(y1)), (int(x2), int(y2)), ((0, 255, 0), (0, 255, 255))[int(c)], 1)
        view.append(im)
    cv2.imwrite("/tmp/train/samples.png", np.vstack([np.hstack(view[i:i + 6]) for i in range(0, 24, 6)]))
