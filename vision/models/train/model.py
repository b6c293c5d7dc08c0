"""The detector: a widened YuNet with a second class and a stride-4 level.

Why this shape
  * Depthwise-separable units (1x1, 3x3 depthwise, BN, ReLU) are what YuNet uses
    and what ONNX Runtime runs quickly on one CPU core.
  * The first 64 channels of every stage start as an exact copy of YuNet-n
    (Apache-2.0), so that faces work before the first step; the added channels
    start random and feed the old ones through zero weights.  At step 0 the face
    output of this net equals YuNet's.
  * A stride-4 level finds 6-16 px objects at native resolution, for about a
    tenth of what running the whole net on a x2 enlargement costs.

Input of the exported graph: float32 [1,3,H,W], BGR, 0..255, H and W multiples
of 32.  Outputs: boxes [N,4] (x1,y1,x2,y2 in input pixels), scores [N,2]
(face, plate).  See export.py.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES = ("face", "plate")
STRIDES = (4, 8, 16, 32)


def _init(conv, gain=2.0):
    """Kaiming-normal on fan-in, zero bias: there is no BN to repair a bad scale."""
    fan = conv.weight[0].numel()
    nn.init.normal_(conv.weight, std=(gain / fan) ** 0.5)
    nn.init.zeros_(conv.bias)
    return conv


class DP(nn.Module):
    """1x1 conv + 3x3 depthwise conv + ReLU (YuNet's ConvDPUnit, BN folded).

    No BN: YuNet's ONNX file has its BNs folded, batches are small, and on a CPU
    a BN costs as much training time as the 1x1 convolution.
    """

    def __init__(self, cin, cout, relu=True, k=3):
        super().__init__()
        self.pw = _init(nn.Conv2d(cin, cout, 1), 1.0)
        self.dw = _init(nn.Conv2d(cout, cout, k, padding=k // 2, groups=cout))
        self.relu = relu

    def forward(self, x):
        x = self.dw(self.pw(x))
        return F.relu(x, inplace=True) if self.relu else x


class Res(nn.Module):
    """relu(x + DP(DP(x))); starts as the identity (last depthwise conv is zero)."""

    def __init__(self, c, k=3):
        super().__init__()
        self.a = DP(c, c, k=k)
        self.b = DP(c, c, relu=False, k=k)
        nn.init.zeros_(self.b.dw.weight)

    def forward(self, x):
        return F.relu(x + self.b(self.a(x)), inplace=True)


class Head(nn.Module):
    """One level: shared DP, then class logits (face, plate) and a box.

    YuNet scores a box with sqrt(cls*obj).  Here one logit per class is the mean
    of a 'cls' and an 'obj' channel: YuNet's two face channels can be copied in,
    and a class that a training folder does not label can be masked by itself.
    """

    def __init__(self, c):
        super().__init__()
        self.share = DP(c, c)
        self.cls_pw = _init(nn.Conv2d(c, 4, 1), 1.0)          # f.cls f.obj p.cls p.obj
        self.cls_dw = _init(nn.Conv2d(4, 2, 3, padding=1, groups=2), 0.1)
        self.box_pw = _init(nn.Conv2d(c, 4, 1), 1.0)
        self.box_dw = _init(nn.Conv2d(4, 4, 3, padding=1, groups=4), 0.1)
        with torch.no_grad():
            self.cls_dw.bias.fill_(-4.0)
            self.box_dw.bias.copy_(torch.tensor([0.5, 0.5, 0.9, 0.7]))

    def forward(self, x):
        x = self.share(x)
        return self.cls_dw(self.cls_pw(x)), self.box_dw(self.box_pw(x))


class Net(nn.Module):
    def __init__(self, w1=16, w4=64, w=96, wd=None, t4=48, res=(0, 1, 1), k=3):
        """w1: strides 2-4 entry; w4: stride 4; w: stride 8; wd: strides 16 and 32; t4: stride-4 head;
        res, k: residual blocks at strides 8, 16, 32 and their kernel.  Width, blocks and kernel at strides 16 and 32
        are nearly free in time and decide what a small round thing stands in: a face, or a hedge."""
        super().__init__()
        wd = wd or w
        self.cfg = dict(w1=w1, w4=w4, w=w, wd=wd, t4=t4, res=tuple(res), k=k)
        self.stem = _init(nn.Conv2d(3, w1, 3, stride=2, padding=1))
        self.s1 = DP(w1, w1)
        self.s2a, self.s2b = DP(w1, w1), DP(w1, w4)
        self.s3a, self.s3b = DP(w4, w4), DP(w4, w4)           # stride 4
        self.s4a, self.s4b = DP(w4, w), DP(w, w)              # stride 8
        self.s5a, self.s5b = DP(w, wd), DP(wd, wd)            # stride 16
        self.s6a, self.s6b = DP(wd, wd), DP(wd, wd)           # stride 32
        self.r4 = nn.Sequential(*[Res(w) for _ in range(res[0])])
        self.r5 = nn.Sequential(*[Res(wd, k) for _ in range(res[1])])
        self.r6 = nn.Sequential(*[Res(wd, k) for _ in range(res[2])])
        self.lat = nn.ModuleList([DP(c, c) for c in (w, wd, wd)])  # strides 8, 16, 32
        self.down = nn.Identity() if wd == w else nn.Conv2d(wd, w, 1)  # stride 16 to the width of stride 8
        if wd != w:
            nn.init.dirac_(self.down.weight)                   # YuNet's channels pass as they are
            nn.init.zeros_(self.down.bias)
        self.lat4 = _init(nn.Conv2d(w4, t4, 1), 0.5)          # stride-4 skip
        self.top4 = _init(nn.Conv2d(w, t4, 1), 0.5)           # from the stride-8 level
        self.mix4 = DP(t4, t4)
        self.heads = nn.ModuleList([Head(t4), Head(w), Head(wd), Head(wd)])

    def frozen(self):
        """Layers kept as YuNet has them: edges and blobs at strides 2-4, and by
        far the dearest to train on a CPU."""
        return (self.stem, self.s1, self.s2a, self.s2b)

    def entry(self, x):
        x = F.relu(self.stem(x), inplace=True)
        return self.s2b(self.s2a(F.max_pool2d(self.s1(x), 2)))

    def features(self, x):
        c4 = self.s3b(self.s3a(self.entry(x)))
        c8 = self.r4(self.s4b(self.s4a(F.max_pool2d(c4, 2))))
        c16 = self.r5(self.s5b(self.s5a(F.max_pool2d(c8, 2))))
        c32 = self.r6(self.s6b(self.s6a(F.max_pool2d(c16, 2))))
        up = lambda t: F.interpolate(t, scale_factor=2, mode="nearest")
        p32 = self.lat[2](c32)
        p16 = self.lat[1](c16 + up(p32))
        p8 = self.lat[0](c8 + up(self.down(p16)))
        p4 = self.mix4(self.lat4(c4) + up(self.top4(p8)))
        return p4, p8, p16, p32

    def forward(self, x):
        """Raw per-level (cls logits [B,2,h,w], box [B,4,h,w])."""
        return [h(f) for h, f in zip(self.heads, self.features(x))]


def decode(outs):
    """Levels -> boxes [B,N,4] xyxy, logits [B,N,2]; cell (i,j) sits at (j,i)*stride (YuNet)."""
    boxes, logits = [], []
    for (c, b), s in zip(outs, STRIDES):
        B, _, h, w = c.shape
        gx = torch.arange(w, dtype=b.dtype, device=b.device)
        gy = torch.arange(h, dtype=b.dtype, device=b.device).unsqueeze(1)
        cx = (b[:, 0] + gx) * s
        cy = (b[:, 1] + gy) * s
        hw = torch.exp(b[:, 2].clamp(max=6)) * (s * 0.5)
        hh = torch.exp(b[:, 3].clamp(max=6)) * (s * 0.5)
        boxes.append(torch.stack((cx - hw, cy - hh, cx + hw, cy + hh), -1).reshape(B, -1, 4))
        logits.append(c.permute(0, 2, 3, 1).reshape(B, -1, 2))
    return torch.cat(boxes, 1), torch.cat(logits, 1)


@torch.no_grad()
def fold(net):
    """Merge the two 1x1 convs in a row at stride 4 (lat4/top4, then mix4.pw): nothing
    non-linear lies between them, and ONNX Runtime saves 4 % of the time."""
    m = net.mix4.pw
    w = m.weight[:, :, 0, 0]
    for conv, bias in ((net.lat4, m.bias), (net.top4, 0)):
        conv.weight.copy_(torch.einsum("ab,bc->ac", w, conv.weight[:, :, 0, 0])[:, :, None, None])
        conv.bias.copy_(w @ conv.bias + bias)
    net.mix4.pw = nn.Identity()
    return net


class Export(nn.Module):
    """Net + decode + sigmoid for one image: boxes [N,4], scores [N,2]."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        boxes, logits = decode(self.net(x))
        return boxes[0], torch.sigmoid(logits[0])


def _yunet(path):
    import onnx
    from onnx import numpy_helper as nh
    g = onnx.load(path).graph
    init = {i.name: torch.from_numpy(nh.to_array(i).copy()) for i in g.initializer}
    convs = [n for n in g.node if n.op_type == "Conv"]
    return [(init[n.input[1]], init[n.input[2]]) for n in convs]


@torch.no_grad()
def load_yunet(net, path):
    """Copy YuNet-n into the first channels of every layer; weights that would
    carry a new channel into an old one start at zero."""
    convs = iter(_yunet(path))

    def put(conv, w, b):
        o, i = w.shape[:2]
        conv.weight[:o] = 0
        conv.weight[:o, :i] = w
        conv.bias[:o] = b

    def dp(m):
        put(m.pw, *next(convs))
        put(m.dw, *next(convs))

    put(net.stem, *next(convs))
    for m in (net.s1, net.s2a, net.s2b, net.s3a, net.s3b, net.s4a, net.s4b,
              net.s5a, net.s5b, net.s6a, net.s6b, net.lat[2], net.lat[1], net.lat[0]):
        dp(m)
    levels = net.heads[1:]
    for h in levels:
        dp(h.share)
    for h in levels:                            # in the file: cls, then bbox, then obj
        (w, b), (dw, db) = next(convs), next(convs)
        put(h.cls_pw, w, b)
        h.cls_dw.weight[0, 0], h.cls_dw.bias[0] = dw[0, 0] * .5, db[0] * .5
    for h in levels:
        put(h.box_pw, *next(convs))
        put(h.box_dw, *next(convs))
    for h in levels:
        (w, b), (dw, db) = next(convs), next(convs)
        h.cls_pw.weight[1] = 0
        h.cls_pw.weight[1, :w.shape[1]], h.cls_pw.bias[1] = w[0], b[0]
        h.cls_dw.weight[0, 1] = dw[0, 0] * .5
        h.cls_dw.bias[0] += db[0] * .5
    return net


def save(net, path, **extra):
    torch.save(dict(cfg=net.cfg, state=net.state_dict(), **extra), path)


def load(path):
    d = torch.load(path, map_location="cpu", weights_only=False)
    net = Net(**d["cfg"])
    net.load_state_dict(d["state"])
    return net, d


if __name__ == "__main__":
    n = Net()
    print(sum(p.numel() for p in n.parameters()))
