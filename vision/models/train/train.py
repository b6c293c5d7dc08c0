"""Train the detector on a CPU (25-40 crops a second on two shared cores).

    python train.py --data TRAIN_DIR --pseudo pseudo.json --yunet yunet_n_dynamic.onnx \
        --out /tmp/run1 --minutes 40 [--init ckpt.pt] [--own own.json] [--lr 1e-3]

The learning rate follows the clock, not a step count: warm-up, then a cosine that ends
when the minutes are used up, so a busy machine still gets a finished schedule.
Writes OUT/last.pt (EMA weights) every two minutes.
"""
import argparse
import copy
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import data as DT
import model as M

CELLS = [(DT.S // s, s) for s in M.STRIDES]
OFFS = np.cumsum([0] + [n * n for n, _ in CELLS])
# sqrt(area) in px that each level may answer for; ranges overlap, the cost decides
RANGE = ((0, 22), (12, 60), (36, 140), (90, 1e9))


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, maker, seed):
        self.maker, self.seed = maker, seed

    def __iter__(self):
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        w = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, w.id if w else 0])
        while True:
            im, g, ign = self.maker.sample(rng)
            gt = np.full((60, 5), -1, np.float32)
            gt[:len(g)] = g
            yield torch.from_numpy(im.transpose(2, 0, 1).copy()), torch.from_numpy(gt), torch.from_numpy(ign)


def cell_ignore(ign):
    """[B,2,64,64] mask -> [B,N,2] in cell order (cell (i,j) sits at pixel (j,i)*stride)."""
    return torch.cat([ign[:, :, ::s // 4, ::s // 4].permute(0, 2, 3, 1).reshape(len(ign), -1, 2) for s in M.STRIDES], 1)


def iou_np(p, g):
    iw = np.clip(np.minimum(p[:, 2], g[2]) - np.maximum(p[:, 0], g[0]), 0, None)
    ih = np.clip(np.minimum(p[:, 3], g[3]) - np.maximum(p[:, 1], g[1]), 0, None)
    i = iw * ih
    return i / np.maximum((p[:, 2] - p[:, 0]) * (p[:, 3] - p[:, 1]) + (g[2] - g[0]) * (g[3] - g[1]) - i, 1e-6)


def assign(pred, logit, gt):
    """SimOTA with a centre prior: cell -> (cost, gt index)."""
    taken = {}
    for k, (c, x1, y1, x2, y2) in enumerate(gt):
        w, h = x2 - x1, y2 - y1
        cx, cy, size = (x1 + x2) / 2, (y1 + y2) / 2, math.sqrt(w * h)
        idx = []
        for l, (n, s) in enumerate(CELLS):
            if not RANGE[l][0] <= size < RANGE[l][1]:
                continue
            rx = min(max(w / 2, s), 2.5 * s)
            ry = min(max(h / 2, s), 2.5 * s)
            j0, j1 = max(0, math.ceil((cx - rx) / s)), min(n - 1, math.floor((cx + rx) / s))
            i0, i1 = max(0, math.ceil((cy - ry) / s)), min(n - 1, math.floor((cy + ry) / s))
            if j1 < j0 or i1 < i0:
                continue
            idx.append((OFFS[l] + np.arange(i0, i1 + 1)[:, None] * n + np.arange(j0, j1 + 1)).ravel())
        if not idx:
            continue
        idx = np.concatenate(idx)
        iou = iou_np(pred[idx], (x1, y1, x2, y2))
        cost = -3 * np.log(iou + 1e-4) + np.logaddexp(0, -logit[idx, int(c)])
        kk = int(np.clip(np.sort(iou)[-10:].sum(), 1, 10))
        for m in np.argsort(cost)[:kk]:
            a = int(idx[m])
            if a not in taken or taken[a][0] > cost[m]:
                taken[a] = (cost[m], k)
    return taken


def loss_fn(outs, gts, ign):
    boxes, logits = M.decode(outs)
    pb, pl = boxes.detach().numpy(), logits.detach().numpy()
    B, N, _ = logits.shape
    bi, ai, gi = [], [], []
    for b in range(B):
        g = gts[b].numpy()
        g = g[g[:, 0] >= 0]
        for a, (_, k) in assign(pb[b], pl[b], g).items():
            bi.append(b); ai.append(a); gi.append(k)
    q = torch.zeros_like(logits)
    mask = 1.0 - cell_ignore(ign).float()
    if not bi:
        p = torch.sigmoid(logits)
        return (F.softplus(logits) * p ** 2 * mask).sum() / 16, torch.zeros(()), 0
    bi, ai, gi = torch.tensor(bi), torch.tensor(ai), torch.tensor(gi)
    g = gts[bi, gi]
    cls, gb = g[:, 0].long(), g[:, 1:]
    p = boxes[bi, ai]
    iw = (torch.min(p[:, 2], gb[:, 2]) - torch.max(p[:, 0], gb[:, 0])).clamp(min=0)
    ih = (torch.min(p[:, 3], gb[:, 3]) - torch.max(p[:, 1], gb[:, 1])).clamp(min=0)
    inter = iw * ih
    ap = (p[:, 2] - p[:, 0]) * (p[:, 3] - p[:, 1])
    ag = (gb[:, 2] - gb[:, 0]) * (gb[:, 3] - gb[:, 1])
    union = ap + ag - inter
    iou = inter / union.clamp(min=1e-6)
    cw = torch.max(p[:, 2], gb[:, 2]) - torch.min(p[:, 0], gb[:, 0])
    ch = torch.max(p[:, 3], gb[:, 3]) - torch.min(p[:, 1], gb[:, 1])
    hull = (cw * ch).clamp(min=1e-6)
    giou = iou - (hull - union) / hull
    # centre distance over the hull: keeps a gradient for tiny boxes that miss
    d = ((p[:, 0] + p[:, 2] - gb[:, 0] - gb[:, 2]) ** 2 + (p[:, 1] + p[:, 3] - gb[:, 1] - gb[:, 3]) ** 2) / 4
    diou = d / (cw ** 2 + ch ** 2).clamp(min=1e-6)
    # soft target: a box is worth finding even while its fit is poor (privacy needs recall)
    t = iou.detach().clamp(min=.04).sqrt()
    q[bi, ai, cls] = t
    mask[bi, ai, cls] = 1.0
    pr = torch.sigmoid(logits)
    qfl = F.binary_cross_entropy_with_logits(logits, q, reduction="none") * (q - pr).abs() ** 2
    norm = t.sum().clamp(min=4)
    lc = (qfl * mask).sum() / norm
    lb = ((1 - giou + diou) * t).sum() / norm
    return lc, lb, len(bi)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True); ap.add_argument("--pseudo", required=True)
    ap.add_argument("--yunet"); ap.add_argument("--init"); ap.add_argument("--own")
    ap.add_argument("--out", required=True); ap.add_argument("--minutes", type=float, default=40)
    ap.add_argument("--lr", type=float, default=1.5e-3); ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--workers", type=int, default=1); ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--unfreeze", action="store_true", help="train the strides 2-4 entry too")
    ap.add_argument("--freeze4", action="store_true", help="keep the whole stride-4 trunk: a quarter cheaper, for late rounds")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    os.makedirs(a.out, exist_ok=True)
    net = M.load(a.init)[0] if a.init else M.load_yunet(M.Net(), a.yunet)
    net.train().to(memory_format=torch.channels_last)
    if not a.unfreeze:
        for m in net.frozen():
            m.requires_grad_(False)
    if a.freeze4:
        for m in (net.s3a, net.s3b):
            m.requires_grad_(False)
    ema = copy.deepcopy(net).eval()
    for p in ema.parameters():
        p.requires_grad_(False)
    wd, nowd = [], []
    for n, p in net.named_parameters():
        if p.requires_grad:
            (wd if p.ndim == 4 and p.shape[1] > 1 else nowd).append(p)
    opt = torch.optim.AdamW([dict(params=wd, weight_decay=.02), dict(params=nowd, weight_decay=0)], lr=a.lr, betas=(.9, .99))
    mk = DT.Maker(DT.load(a.data, a.pseudo, own=a.own), seed=a.seed)
    dl = torch.utils.data.DataLoader(Stream(mk, a.seed + 100), batch_size=a.batch, num_workers=a.workers, prefetch_factor=4)
    params = [p for p in net.parameters() if p.requires_grad]
    pool = ThreadPoolExecutor(a.threads)

    def half(im, gt, ign):
        """Gradients of one part of the batch.  Two Python threads with one OpenMP thread each
        beat two OpenMP threads on a shared machine: one barrier per step instead of hundreds."""
        torch.set_num_threads(1)
        lc, lb, n = loss_fn(net(im.float().contiguous(memory_format=torch.channels_last)), gt, ign)
        g = torch.autograd.grad(lc + 1.5 * lb, params, allow_unused=True)
        return lc.item(), float(lb.detach()), n, [torch.zeros_like(p) if x is None else x for x, p in zip(g, params)]

    t0 = t_save = time.time()
    step, agg = 0, np.zeros(4)
    for im, gt, ign in dl:
        f = (time.time() - t0) / 60 / a.minutes
        if f >= 1:
            break
        lr = a.lr * min(1, (step + 1) / 150) * (.02 + .98 * .5 * (1 + math.cos(math.pi * f)))
        for g in opt.param_groups:
            g["lr"] = lr
        k = -(-len(im) // a.threads)
        res = list(pool.map(half, im.split(k), gt.split(k), ign.split(k)))
        for i, p in enumerate(params):
            p.grad = sum(r[3][i] for r in res) / len(res)
        lc, lb, n = (sum(r[j] for r in res) / (1 if j == 2 else len(res)) for j in range(3))
        gn = torch.nn.utils.clip_grad_norm_(params, 5.0)
        if torch.isfinite(gn):
            opt.step()
        step += 1
        with torch.no_grad():
            dcy = min(.999, (1 + step) / (20 + step))
            for e, p in zip(ema.parameters(), net.parameters()):
                e.lerp_(p, 1 - dcy)
        agg += (lc, lb, n, 1)
        if step % 50 == 0:
            print(f"{(time.time() - t0) / 60:6.1f} min step {step} lr {lr:.1e} cls {agg[0] / agg[3]:.3f} box {agg[1] / agg[3]:.3f} pos {agg[2] / agg[3]:.0f} gn {float(gn):.1f}", flush=True)
            agg[:] = 0
        if time.time() - t_save > 120:
            t_save = time.time()
            M.save(ema, os.path.join(a.out, "tmp.pt"), step=step)
            os.replace(os.path.join(a.out, "tmp.pt"), os.path.join(a.out, "last.pt"))
    M.save(ema, os.path.join(a.out, "last.pt"), step=step)
    print("done", step, flush=True)


if __name__ == "__main__":
    main()
