"""Train detectors; several shapes of net at once learn from the same samples.

    python train.py --data TRAIN_DIR --pseudo pseudo.json --own own.json --yunet yunet_n_dynamic.onnx \
        --out run1 --minutes 8 --workers 15 --nets s:96,96,48,0,1,1,3 m:96,128,48,1,3,3,5

A net is NAME:w,wd,t4,res8,res16,res32,kernel (model.Net).  Making samples costs more than learning from them on a GPU
(a CPU core draws about 100 a second), so a batch is learned from more than once: new, and later again flipped and in other light
(--replay batches kept on the device).  The learning rate follows the clock, not a step count: warm-up, then a cosine that ends
when the minutes are used up, so any machine gets a finished schedule.  Writes OUT/NAME.pt (EMA weights) every two minutes.
"""
import argparse
import copy
import math
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import data as DT
import model as M

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


def cells(device):
    """Of every cell: x, y, stride, and the sizes that its level may answer for."""
    out = []
    for s, (lo, hi) in zip(M.STRIDES, RANGE):
        n = DT.S // s
        y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
        out.append(torch.stack([x.ravel() * s, y.ravel() * s, torch.full((n * n,), s), torch.full((n * n,), lo), torch.full((n * n,), hi)], 1).float())
    return torch.cat(out).to(device)


def overlap(p, g):
    """IoU and union area of boxes p, g [...,4]."""
    iw = (torch.minimum(p[..., 2], g[..., 2]) - torch.maximum(p[..., 0], g[..., 0])).clamp(min=0)
    ih = (torch.minimum(p[..., 3], g[..., 3]) - torch.maximum(p[..., 1], g[..., 1])).clamp(min=0)
    inter = iw * ih
    union = (p[..., 2] - p[..., 0]) * (p[..., 3] - p[..., 1]) + (g[..., 2] - g[..., 0]) * (g[..., 3] - g[..., 1]) - inter
    return inter / union.clamp(min=1e-6), union


@torch.no_grad()
def assign(boxes, logits, gts, grid):
    """SimOTA with a centre prior, all pictures at once: -> (picture, cell, box row of gts) of every chosen pair."""
    b, k = (gts[..., 0] >= 0).nonzero(as_tuple=True)
    g = gts[b, k]
    if not len(g):
        return b, b, g
    w, h = g[:, 3] - g[:, 1], g[:, 4] - g[:, 2]
    size = (w * h).sqrt()[:, None]
    s = grid[:, 2]
    rx = torch.minimum(torch.maximum(w[:, None] / 2, s), 2.5 * s)
    ry = torch.minimum(torch.maximum(h[:, None] / 2, s), 2.5 * s)
    near = ((grid[:, 0] - (g[:, 1:2] + g[:, 3:4]) / 2).abs() <= rx) & ((grid[:, 1] - (g[:, 2:3] + g[:, 4:5]) / 2).abs() <= ry)
    near &= (size >= grid[:, 3]) & (size < grid[:, 4])
    m, a = near.nonzero(as_tuple=True)                       # candidates only: a few dozen of 5,440 cells for each box
    iou, _ = overlap(boxes[b[m], a], g[m, 1:])
    cost = -3 * torch.log(iou + 1e-4) + F.softplus(-logits[b[m], a, g[m, 0].long()])
    # candidates as a padded table, a row for each box
    n = torch.bincount(m, minlength=len(g))
    col = torch.arange(len(m), device=m.device) - (n.cumsum(0) - n)[m]
    wide = max(10, int(n.max()) if len(n) else 10)
    C = torch.full((len(g), wide), 1e9, device=m.device)
    I = torch.zeros((len(g), wide), device=m.device)
    A = torch.zeros((len(g), wide), dtype=torch.long, device=m.device)
    C[m, col], I[m, col], A[m, col] = cost, iou, a
    kk = I.topk(10, 1).values.sum(1).floor().clamp(1, 10)
    c, j = C.topk(10, 1, largest=False)
    take = (torch.arange(10, device=m.device) < kk[:, None]) & (c < 1e8)
    r, _ = take.nonzero(as_tuple=True)
    cell, c = A.gather(1, j)[take], c[take]
    key = b[r] * len(grid) + cell                            # a cell that several boxes want goes to the cheapest
    best = torch.full((len(gts) * len(grid),), 1e9, device=m.device).scatter_reduce(0, key, c, "amin")
    own = c <= best[key]
    return b[r][own], cell[own], g[r[own]]


def loss_fn(outs, gts, ign, grid):
    boxes, logits = M.decode([(c.float(), b.float()) for c, b in outs])
    bi, ai, g = assign(boxes.detach(), logits.detach(), gts, grid)
    q = torch.zeros_like(logits)
    mask = 1.0 - cell_ignore(ign).float()
    if not len(bi):
        return (F.softplus(logits) * torch.sigmoid(logits) ** 2 * mask).sum() / 16, logits.sum() * 0, 0
    cls, gb, p = g[:, 0].long(), g[:, 1:], boxes[bi, ai]
    iou, union = overlap(p, gb)
    cw = torch.maximum(p[:, 2], gb[:, 2]) - torch.minimum(p[:, 0], gb[:, 0])
    ch = torch.maximum(p[:, 3], gb[:, 3]) - torch.minimum(p[:, 1], gb[:, 1])
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
    return (qfl * mask).sum() / norm, ((1 - giou + diou) * t).sum() / norm, len(bi)


def again(im, gt, ign):
    """A batch seen before, mirrored and in other light."""
    gt = gt.clone()
    keep = gt[..., :1] >= 0
    x = torch.stack([gt[..., 0], DT.S - gt[..., 3], gt[..., 2], DT.S - gt[..., 1], gt[..., 4]], -1)
    B = len(im)
    x0 = im.flip(-1).float()
    gain = 1 + (torch.rand(B, 3, 1, 1, device=im.device) - .5) * .3
    k = .7 + .6 * torch.rand(B, 1, 1, 1, device=im.device)
    mean = x0.mean((1, 2, 3), keepdim=True)
    x0 = ((x0 - mean) * k + mean) * gain + torch.randn(B, 1, 1, 1, device=im.device) * 12
    return x0.clamp(0, 255), torch.where(keep, x, gt), ign.flip(-1)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True); ap.add_argument("--pseudo", required=True)
    ap.add_argument("--yunet"); ap.add_argument("--init"); ap.add_argument("--own")
    ap.add_argument("--nets", nargs="+", default=["s:96,96,48,0,1,1,3"])
    ap.add_argument("--out", required=True); ap.add_argument("--minutes", type=float, default=40)
    ap.add_argument("--lr", type=float, default=2e-3); ap.add_argument("--batch", type=int, default=128)
    ap.add_argument("--workers", type=int, default=1); ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--replay", type=int, default=150, help="batches kept on the device; 0: every sample is seen once")
    a = ap.parse_args()
    cv2.setNumThreads(1)                                     # before any worker is forked
    torch.manual_seed(a.seed)
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    os.makedirs(a.out, exist_ok=True)
    grid = cells(dev)
    nets = {}
    for spec in a.nets:
        name, _, v = spec.partition(":")
        w, wd, t4, r8, r16, r32, k = map(int, v.split(","))
        net = M.load(a.init)[0] if a.init else M.load_yunet(M.Net(w=w, wd=wd, t4=t4, res=(r8, r16, r32), k=k), a.yunet)
        net = net.train().to(dev, memory_format=torch.channels_last)
        ema = copy.deepcopy(net).eval().requires_grad_(False)
        ps = [p for p in net.parameters()]
        opt = torch.optim.AdamW([dict(params=[p for p in ps if p.ndim == 4 and p.shape[1] > 1], weight_decay=.02),
                                 dict(params=[p for p in ps if not (p.ndim == 4 and p.shape[1] > 1)], weight_decay=0)],
                                lr=a.lr, betas=(.9, .99), fused=dev == "cuda")
        nets[name] = (net, ema, opt, ps, list(ema.parameters()))
        print(name, sum(p.numel() for p in ps), "parameters", flush=True)
    t0 = time.time()
    mk = DT.Maker(DT.load(a.data, a.pseudo, own=a.own), seed=a.seed)
    dl = torch.utils.data.DataLoader(Stream(mk, a.seed + 100), batch_size=a.batch, num_workers=a.workers,
                                     prefetch_factor=4 if a.workers else None, pin_memory=dev == "cuda")
    print(f"samples ready after {time.time() - t0:.0f} s", flush=True)
    t0 = t_save = t_print = time.time()
    step, ring = 0, []
    agg = {n: torch.zeros(3, device=dev) for n in nets}
    rng = np.random.default_rng(a.seed)
    for batch in dl:
        f = (time.time() - t0) / 60 / a.minutes
        if f >= 1:
            break
        im, gt, ign = (t.to(dev, non_blocking=True) for t in batch)
        seen = [(im.float(), gt, ign)]
        if a.replay:
            if len(ring) > 20:
                seen.append(again(*ring[rng.integers(len(ring))]))
            ring.append((im, gt, ign)) if len(ring) < a.replay else ring.__setitem__(int(rng.integers(a.replay)), (im, gt, ign))
        for im, gt, ign in seen:
            im = im.contiguous(memory_format=torch.channels_last)
            lr = a.lr * min(1, (step + 1) / 300) * (.01 + .99 * .5 * (1 + math.cos(math.pi * f)))
            step += 1
            dcy = min(.9995, (1 + step) / (20 + step))
            for name, (net, ema, opt, ps, es) in nets.items():
                for g in opt.param_groups:
                    g["lr"] = lr
                with torch.autocast(dev, torch.bfloat16, enabled=dev == "cuda"):
                    outs = net(im)
                lc, lb, n = loss_fn(outs, gt, ign, grid)
                opt.zero_grad(set_to_none=True)
                (lc + 1.5 * lb).backward()
                torch.nn.utils.clip_grad_norm_(ps, 5.0, foreach=True)
                opt.step()
                torch._foreach_lerp_(es, ps, 1 - dcy)
                agg[name] += torch.stack([lc.detach(), lb.detach(), torch.ones((), device=dev)])
        if time.time() - t_print > 15:
            t_print = time.time()
            print(f"{(t_print - t0) / 60:5.2f} min step {step} lr {lr:.1e} " +
                  " | ".join(f"{n} cls {float(v[0] / v[2]):.3f} box {float(v[1] / v[2]):.3f}" for n, v in agg.items()), flush=True)
            for v in agg.values():
                v.zero_()
        if time.time() - t_save > 120:
            t_save = time.time()
            for name, v in nets.items():
                M.save(v[1], os.path.join(a.out, name + ".pt"), step=step)
    for name, v in nets.items():
        M.save(v[1], os.path.join(a.out, name + ".pt"), step=step)
    print("done", step, f"{(time.time() - t0) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
