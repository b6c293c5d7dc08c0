"""Pictures that hold no face and no plate, drawn: what a detector of small round and lettered
things takes for its own, in as many shapes as one likes.

    clutter(rng, T) -> BGR picture, T x T

Dead leaves (overlapping random shapes whose sizes follow a power law) have the statistics of foliage, gravel
and rubble (Lee, Mumford, Huang 2001, "Occlusion models for natural images"); facades, fences, wheels, lamps
and awnings are the regular things of a street.  The palettes include skin-like browns on purpose.
"""
import cv2
import numpy as np

PALETTES = [  # BGR
    [(30, 60, 30), (40, 95, 55), (60, 130, 90), (90, 160, 120), (20, 35, 20), (120, 190, 170)],            # leaves
    [(40, 80, 140), (60, 110, 180), (30, 50, 90), (90, 150, 210), (20, 30, 50)],                           # autumn
    [(120, 150, 200), (90, 120, 175), (140, 175, 225), (60, 80, 120), (160, 190, 235)],                    # sand, skin
    [(90, 90, 90), (130, 130, 128), (60, 60, 62), (170, 170, 168), (40, 40, 42)],                          # gravel
    [(60, 70, 130), (80, 90, 160), (50, 55, 100), (100, 115, 180), (150, 160, 180)],                       # brick
    [(200, 170, 130), (230, 210, 180), (160, 130, 90), (240, 235, 225), (110, 90, 60)],                    # sky, haze
    [(15, 15, 18), (30, 28, 30), (50, 48, 50), (10, 40, 80), (60, 120, 200)],                              # night, lamps
]


def _noise(rng, T, beta):
    """1/f^beta noise in 0..1."""
    f = np.sqrt(np.fft.fftfreq(T)[:, None] ** 2 + np.fft.rfftfreq(T)[None] ** 2)
    f[0, 0] = 1
    z = np.fft.irfft2(np.exp(2j * np.pi * rng.random((T, T // 2 + 1))) / f ** beta, s=(T, T))
    return ((z - z.min()) / (np.ptp(z) + 1e-9)).astype(np.float32)


def _leaves(rng, T):
    pal = np.array(PALETTES[rng.integers(len(PALETTES))], np.float32)
    im = np.empty((T, T, 3), np.uint8)
    im[:] = pal[rng.integers(len(pal))]
    rmin, rmax = rng.uniform(1.2, 4), rng.uniform(8, T * .25)
    n = int(min(2500, rng.uniform(.4, 1.5) * T * T / (6 * rmin ** 2)))     # most of the ground covered
    u = rng.random(n)
    r = (rmin ** -2 + u * (rmax ** -2 - rmin ** -2)) ** -.5              # power law, exponent 3
    r = np.sort(r)[::-1] if rng.random() < .5 else r
    kind = rng.integers(4)
    for k in range(n):
        c = pal[rng.integers(len(pal))] * rng.uniform(.6, 1.3) + rng.normal(0, 8, 3)
        c = tuple(float(v) for v in np.clip(c, 0, 255))
        x, y = (int(v) for v in rng.uniform(0, T, 2))
        if kind < 2:
            cv2.ellipse(im, (x, y), (max(1, int(r[k])), max(1, int(r[k] * rng.uniform(.3, 1)))), rng.uniform(0, 180), 0, 360, c, -1, cv2.LINE_AA)
        elif kind == 2:
            a = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
            cv2.fillPoly(im, [np.int32(np.stack([x + r[k] * np.cos(a), y + r[k] * np.sin(a)], 1))], c, cv2.LINE_AA)
        else:
            a = rng.uniform(0, np.pi)
            d = r[k] * 2.5
            cv2.line(im, (x, y), (int(x + d * np.cos(a)), int(y + d * np.sin(a))), c, max(1, int(r[k] * .25)), cv2.LINE_AA)
        if k % 7 == 0 and r[k] > 4:                                    # a shaded side makes balls of discs: the hardest
            cv2.ellipse(im, (x, int(y + r[k] * .3)), (max(1, int(r[k] * .8)), max(1, int(r[k] * .5))), 0, 0, 360, tuple(v * .55 for v in c), -1, cv2.LINE_AA)
    return im


def _facade(rng, T):
    pal = np.array(PALETTES[rng.integers(2, len(PALETTES))], np.float32)
    im = np.empty((T, T, 3), np.uint8)
    im[:] = pal[rng.integers(len(pal))]
    w, h = int(rng.uniform(6, T * .3)), int(rng.uniform(6, T * .35))
    gx, gy = int(w * rng.uniform(1.2, 2.5)), int(h * rng.uniform(1.2, 2.2))
    dark = rng.uniform(10, 90, 3)
    ox, oy = int(rng.uniform(0, gx)), int(rng.uniform(0, gy))
    for y in range(oy - gy, T, gy):
        for x in range(ox - gx, T, gx):
            c = tuple(float(v) for v in np.clip(dark + rng.normal(0, 14, 3), 0, 255))
            cv2.rectangle(im, (x, y), (x + w, y + h), c, -1)
            if rng.random() < .4:
                cv2.rectangle(im, (x, y), (x + w, y + h), tuple(float(v) for v in rng.uniform(100, 250, 3)), max(1, w // 12))
            if rng.random() < .3:
                cv2.line(im, (x + w // 2, y), (x + w // 2, y + h), (200, 200, 200), max(1, w // 16))
            if rng.random() < .15:
                cv2.circle(im, (x + w // 2, y + h // 2), max(1, min(w, h) // 3), tuple(float(v) for v in rng.uniform(0, 255, 3)), -1, cv2.LINE_AA)
    return im


def _things(rng, im):
    """Wheels, lamps, balls, poles, heads of lettuce: round and striped things over a background."""
    T = im.shape[0]
    for _ in range(int(rng.integers(1, 7))):
        r = int(np.exp(rng.uniform(np.log(3), np.log(T * .22))))
        x, y = (int(v) for v in rng.uniform(0, T, 2))
        col = tuple(float(v) for v in (rng.uniform(0, 255, 3) if rng.random() < .6 else np.array(PALETTES[2][rng.integers(5)]) * rng.uniform(.6, 1.1)))
        k = rng.integers(6)
        if k == 0:                                                     # wheel
            cv2.circle(im, (x, y), r, (25, 25, 25), -1, cv2.LINE_AA)
            cv2.circle(im, (x, y), int(r * .68), (165, 165, 165), -1, cv2.LINE_AA)
            for a in np.arange(0, 2 * np.pi, 2 * np.pi / rng.integers(5, 11)) + rng.uniform(0, 1):
                cv2.line(im, (x, y), (int(x + .64 * r * np.cos(a)), int(y + .64 * r * np.sin(a))), (45, 45, 45), max(1, r // 8), cv2.LINE_AA)
        elif k == 1:                                                   # lamp with a halo
            for q in (1., .7, .45):
                cv2.circle(im, (x, y), max(1, int(r * q)), tuple(min(255., v * (1.6 - q) + 60) for v in col), -1, cv2.LINE_AA)
        elif k == 2:                                                   # ball, bowl, knob: a head without a face
            cv2.ellipse(im, (x, y), (r, max(1, int(r * rng.uniform(1, 1.35)))), 0, 0, 360, col, -1, cv2.LINE_AA)
            cv2.ellipse(im, (x, y - r // 2), (r, max(1, r // 2)), 0, 180, 360, tuple(v * .3 for v in col), -1, cv2.LINE_AA)
        elif k == 3:                                                   # pole or trunk
            cv2.rectangle(im, (x, 0), (x + max(1, r // 4), T), col, -1)
        elif k == 4:                                                   # striped board, grille, steps
            n = int(rng.integers(3, 9))
            for q in range(n):
                cv2.rectangle(im, (x, y + q * r // n), (x + int(r * 2.2), y + (2 * q + 1) * r // (2 * n)), col, -1)
        else:                                                          # pair of lamps over a dark mouth: a car's front
            d = max(1, r // 4)
            cv2.rectangle(im, (x - r, y), (x + r, y + r), tuple(v * .4 for v in col), -1)
            for sx in (-r + d, r - d):
                cv2.circle(im, (x + sx, y + d), d, (220, 230, 240), -1, cv2.LINE_AA)
    return im


def clutter(rng, T):
    u = rng.random()
    if u < .5:
        im = _leaves(rng, T)
    elif u < .75:
        im = _facade(rng, T)
    else:
        a, b = (np.array(p[rng.integers(len(p))], np.float32) for p in (PALETTES[rng.integers(len(PALETTES))], PALETTES[rng.integers(len(PALETTES))]))
        z = _noise(rng, T, rng.uniform(.8, 1.6))[..., None]
        im = (a * z + b * (1 - z)).astype(np.uint8)
    if rng.random() < .6:
        im = _things(rng, im)
    if rng.random() < .6:                                              # light over it
        im = np.clip(im * (.45 + 1.1 * _noise(rng, T, 1.8))[..., None], 0, 255).astype(np.uint8)
    if rng.random() < .5:
        im = cv2.GaussianBlur(im, (0, 0), rng.uniform(.4, 2.2))
    return im
