"""Licence plates of 30-odd layouts, and look-alikes that must stay readable.

    render(rng)         -> RGBA plate, flat and clean (about 300-520 px wide)
    render_sign(rng)    -> RGBA sign or lettering that is NOT a plate
    wear(rng, plate)    -> dirt, screws, frame, shadow, fading

Texts are random; fonts are whatever free fonts Debian ships (see README.md).
Layouts follow the general look only (size, colours, bands, one or two rows):
no emblem, no real registration.
"""
import glob
import os

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

L, D = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
W, K, Y = (242, 242, 238), (18, 18, 20), (246, 205, 40)
RED, BLUE, GREEN, EU = (180, 25, 30), (25, 50, 150), (20, 110, 60), (10, 50, 160)


def _fonts():
    want = ("OpenDin", "opendin", "DIN", "Roboto-Bold", "Roboto-Medium", "RobotoCondensed", "Roboto-Condensed",
            "LiberationSansNarrow-Bold", "LiberationSans-Bold", "LiberationMono-Bold", "DejaVuSansMono-Bold",
            "DejaVuSansCondensed-Bold", "DejaVuSans-Bold", "Lato-Bold", "Lato-Heavy", "OpenSans-Cond", "OpenSans-Bold",
            "B612Mono-Bold", "B612-Bold", "osifont", "routed-gothic", "NimbusSansNarrow-Bold.", "NimbusSans-Bold.",
            "NimbusMonoPS-Bold.")
    files = [f for f in glob.glob("/usr/share/fonts/**/*", recursive=True) if f.lower().endswith((".ttf", ".otf"))]
    return sorted(f for f in files if any(w in os.path.basename(f) or f"/{w}" in f for w in want)
                  and "Italic" not in f and "Oblique" not in f)


FONTS = _fonts()
JP = [f for f in glob.glob("/usr/share/fonts/**/*", recursive=True) if "ipaexg" in f.lower() and f.endswith(".ttf")]
AR = [f for f in glob.glob("/usr/share/fonts/**/*", recursive=True) if "kacst" in f.lower() and f.endswith(".ttf")]
_cache = {}


def font(path, size):
    k = (path, int(size))
    if k not in _cache:
        if len(_cache) > 600:
            _cache.clear()
        _cache[k] = ImageFont.truetype(path, int(size))
    return _cache[k]


def pat(rng, p):
    """'A' letter, '9' digit, anything else literal."""
    return "".join(rng.choice(list(L)) if c == "A" else rng.choice(list(D)) if c == "9" else c for c in p)


def text(img, box, s, fpath, col, rng, fit=1.0):
    """Draw s stretched to fill box (x0,y0,x1,y1): plate fonts are narrow, so stretching is right."""
    x0, y0, x1, y1 = [int(round(v)) for v in box]
    bw, bh = max(x1 - x0, 4), max(y1 - y0, 4)
    f = font(fpath, max(12, int(bh * 1.1)))
    l, t, r, b = f.getbbox(s)
    if r - l < 1 or b - t < 1:
        return
    m = Image.new("L", (r - l, b - t))
    ImageDraw.Draw(m).text((-l, -t), s, font=f, fill=255)
    tw = min(bw, int((r - l) * bh / (b - t) * rng.uniform(.85, 1.25)) if fit < 1 else bw)
    m = m.resize((max(2, tw), bh), Image.BILINEAR)
    img.paste(Image.new("RGB", m.size, col), (x0 + (bw - m.size[0]) // 2, y0), m)


# name, (w, h), background, ink, rows of patterns, extras
SPECS = [
    ("de", (520, 112), W, K, ["A AA 999", "AA A 9999", "AAA AA 99"], "eu seal"),
    ("fr", (520, 112), W, K, ["AA-999-AA"], "eu euR"),
    ("it", (520, 112), W, K, ["AA 999AA"], "eu euR"),
    ("es", (520, 112), W, K, ["9999 AAA"], "eu"),
    ("nl", (520, 112), Y, K, ["AA-999-A", "99-AAA-9", "A-999-AA"], "eu"),
    ("be", (520, 112), W, RED, ["1-AAA-999"], "eu"),
    ("uk1", (520, 112), W, K, ["AA99 AAA"], "eu?"),
    ("uk2", (520, 112), Y, K, ["AA99 AAA"], "eu?"),
    ("ro", (520, 112), W, K, ["A 99 AAA", "AA 99 AAA", "A 999 AAA"], "eu"),
    ("pl", (520, 112), W, K, ["AA 99999", "AAA A999"], "eu seal"),
    ("at", (520, 120), W, K, ["A 9999 A", "AA 999 AA"], "eu seal redlines"),
    ("ru", (520, 112), W, K, ["A999AA"], "ruR"),
    ("ua", (520, 112), W, K, ["AA 9999 AA"], "eu"),
    ("tr", (520, 112), W, K, ["34 AAA 99", "06 AA 999"], "eu"),
    ("eu2row", (300, 200), W, K, ["AA 99|AAA", "A AA|9999", "AAA|9999"], "eu?"),
    ("ch2row", (300, 160), W, K, ["ZH|999999", "BE|99999"], ""),
    ("nordic", (500, 110), W, K, ["AA 99999", "AAA 999"], "eu?"),
    ("us1", (305, 152), W, BLUE, ["AAA 9999", "9AAA999", "AAA-999"], "us"),
    ("us2", (305, 152), W, K, ["999 AAA", "AA9 9AA", "99AA99", "9AA999"], "us"),
    ("us3", (305, 152), W, RED, ["AAA 999", "999-AAA"], "us"),
    ("us4", (305, 152), (205, 222, 236), BLUE, ["AAA 9999", "A99 99A"], "us"),
    ("us5", (305, 152), (235, 216, 150), K, ["AAA-9999", "AA 99999"], "us"),
    ("us6", (305, 152), (205, 226, 205), GREEN, ["AAA 999", "999 AAA"], "us"),
    ("us7", (305, 152), BLUE, W, ["AAAA 999", "A99 999"], "us"),
    ("br_old", (400, 130), (170, 172, 172), K, ["AAA-9999"], "brtop"),
    ("mercosur", (400, 130), W, K, ["AAA9A99", "AA 999 AA"], "merco"),
    ("br_moto", (200, 170), (170, 172, 172), K, ["AAA|9999"], "brtop"),
    ("merco_moto", (200, 170), W, K, ["AAA|9A99"], "merco"),
    ("ar_old", (294, 129), K, W, ["AAA 999"], "rim"),
    ("cl", (360, 130), W, K, ["AA AA 99", "AAAA 99"], "capbot"),
    ("co", (330, 160), Y, K, ["AAA 999"], "capbot"),
    ("mx", (300, 150), W, K, ["AAA-99-99", "AAA-999-A"], "us"),
    ("in1", (500, 110), W, K, ["MH 99 AA 9999", "DL9CAA9999", "KA 99 A 9999"], "ind"),
    ("in_y", (500, 110), Y, K, ["MH 99 AA 9999", "TN 99 A 9999"], ""),
    ("in2row", (280, 180), W, K, ["MH 99|AA 9999", "KA 99|A 9999"], "ind?"),
    ("cn_blue", (440, 140), (20, 60, 170), W, ["X A·99999", "X A·A9999"], "cn rim"),
    ("cn_green", (480, 140), (150, 215, 160), K, ["X A·A99999"], "cn rim"),
    ("cn_yellow", (440, 220), Y, K, ["X·A|99999"], "cn rim"),
    ("jp_w", (330, 165), W, (20, 80, 60), ["J 999|9 99-99"], "jp"),
    ("jp_y", (330, 165), Y, K, ["J 999|9 99-99"], "jp"),
    ("jp_g", (330, 165), (20, 110, 70), W, ["J 999|9 99-99"], "jp"),
    ("kr", (520, 110), W, K, ["999A 9999", "99A 9999"], "eu?"),
    ("th", (340, 150), W, K, ["9AA 9999"], "capbot rim"),
    ("id_b", (395, 135), K, W, ["B 9999 AAA", "D 999 AA"], "capbot rim"),
    ("my", (480, 110), K, W, ["AAA 9999", "WAA 999"], ""),
    ("au", (372, 134), W, K, ["AAA 999", "999 AAA", "AAA-99A"], "captop"),
    ("au_y", (372, 107), Y, K, ["AA-99-AA", "999-AAA"], ""),
    ("za", (520, 112), W, BLUE, ["AA 99 AA GP", "CA 999-999"], ""),
    ("ae", (520, 110), W, K, ["A 99999"], "arR"),
    ("sa", (320, 160), W, K, ["9999 AAA|9999 AAA"], "arB"),
    ("eg", (350, 170), W, K, ["999 AAA"], "egtop"),
    ("il", (520, 110), Y, K, ["99-999-99", "999-99-999"], "eu"),
    ("ng", (340, 150), W, BLUE, ["AAA-999AA"], "captop"),
    ("moto_eu", (180, 200), W, K, ["AA|999", "A 99|AAA"], "eu?"),
    ("moto_sq", (240, 130), Y, K, ["AAA|99", "AA 99|A 99"], ""),
]
WORDS = ["CALIFORNIA", "TEXAS", "NEW YORK", "FLORIDA", "Sunshine State", "Garden State", "OHIO", "Virginia", "Utah",
         "ILLINOIS", "Land of Lincoln", "Ontario", "BRASIL", "MERCOSUR", "CHILE", "BOGOTA", "SP-SAO PAULO", "NSW",
         "VICTORIA", "Queensland", "LAGOS", "Great Lakes", "Evergreen", "Peach", "Famous Potatoes", "dmv.ca.gov"]
SIGN = ["Rathaus", "Bahnhof", "Stop", "STOP", "Hauptstrasse", "Market Street", "Elm St", "Broadway", "Main St", "Exit 12",
        "Centrum", "Parking", "Taxi", "Open", "Pizza", "Bakery", "No parking", "One way", "Sortie", "Ufficio", "Cafe",
        "School", "Police", "Hotel", "Apotheke", "Zentrum 2 km", "M1 North", "A4 Berlin", "Rue de Paris", "Sale", "50", "30",
        "Lidl", "Auto Service", "Car wash", "www.example.org", "Fresh fruit", "Bus stop", "Salida", "Praha 12", "Oslo 45"]


def render(rng, spec=None):
    name, (w, h), bg, ink, pats, ex = SPECS[rng.integers(len(SPECS))] if spec is None else spec
    f = FONTS[rng.integers(len(FONTS))]
    jit = lambda c, a=14: tuple(int(np.clip(v + rng.normal(0, a), 0, 255)) for v in c)
    bg, ink = jit(bg, 8), jit(ink, 12)
    im = Image.new("RGB", (w, h), bg)
    dr = ImageDraw.Draw(im)
    s = pat(rng, pats[rng.integers(len(pats))])
    rows = s.split("|")
    x0, x1 = w * rng.uniform(.03, .06), w * (1 - rng.uniform(.03, .06))
    y0, y1 = h * rng.uniform(.11, .18), h * (1 - rng.uniform(.11, .18))
    if "us" in ex or ex == "us":
        if rng.random() < .5:                                   # tinted scene or gradient
            a = np.asarray(im, np.float32)
            c2 = np.array(jit([(180, 210, 235), (235, 200, 160), (190, 220, 180), (230, 180, 180)][rng.integers(4)]), np.float32)
            g = np.linspace(0, rng.uniform(.3, 1), h)[:, None, None]
            if rng.random() < .5:
                g = g[::-1]
            im = Image.fromarray((a * (1 - g) + c2 * g).astype(np.uint8))
            dr = ImageDraw.Draw(im)
        if rng.random() < .3:
            dr.rectangle((0, 0, w, h * .22), fill=jit([BLUE, RED, GREEN][rng.integers(3)]))
        text(im, (w * .2, h * .05, w * .8, h * .2), WORDS[rng.integers(len(WORDS))], f, jit([BLUE, RED, K, W][rng.integers(4)]), rng, .9)
        if rng.random() < .6:
            text(im, (w * .22, h * .84, w * .78, h * .95), WORDS[rng.integers(len(WORDS))], f, jit([BLUE, RED, K][rng.integers(3)]), rng, .9)
        y0, y1 = h * .27, h * .79
        if rng.random() < .3:
            x1 = w * .78
            dr.ellipse((w * .8, h * .35, w * .95, h * .7), fill=jit([RED, BLUE, GREEN][rng.integers(3)], 40))
        for cx in (.05, .95):
            if rng.random() < .5:
                dr.rectangle((w * (cx - .03), h * .06, w * (cx + .03), h * .2), fill=jit([RED, Y, BLUE][rng.integers(3)], 30))
    if "eu" in ex.split() or ("eu?" in ex and rng.random() < .6):
        c = jit(EU if rng.random() < .85 else BLUE)
        dr.rectangle((0, 0, w * .085, h), fill=c)
        text(im, (w * .02, h * .65, w * .065, h * .88), rng.choice(["D", "F", "I", "E", "NL", "RO", "PL", "GB", "TR", "B"]), f, W, rng)
        dr.ellipse((w * .022, h * .18, w * .062, h * .48), outline=Y, width=3)
        x0 = w * .11
    if "euR" in ex and rng.random() < .8:
        dr.rectangle((w * .92, 0, w, h), fill=jit(EU))
        x1 = w * .9
    if "ruR" in ex:
        dr.line((w * .76, 0, w * .76, h), fill=ink, width=4)
        text(im, (w * .79, h * .1, w * .96, h * .6), pat(rng, "99"), f, ink, rng)
        text(im, (w * .79, h * .7, w * .9, h * .92), "RUS", f, ink, rng)
        x1 = w * .73
    if "redlines" in ex:
        dr.rectangle((0, 2, w, h * .05), fill=RED); dr.rectangle((0, h * .93, w, h * .98), fill=RED)
    if "brtop" in ex:
        text(im, (w * .25, h * .05, w * .75, h * .2), rng.choice(["SP-SAO PAULO", "RJ-RIO", "MG-BELO", "PR-CURITIBA"]), f, ink, rng, .9)
        y0 = h * .28
    if "merco" in ex:
        dr.rectangle((0, 0, w, h * .22), fill=jit((10, 60, 160)))
        text(im, (w * .35, h * .04, w * .65, h * .18), rng.choice(["BRASIL", "ARGENTINA", "URUGUAY"]), f, W, rng, .9)
        y0 = h * .3
    if "captop" in ex:
        text(im, (w * .25, h * .04, w * .75, h * .17), rng.choice(WORDS), f, ink, rng, .9); y0 = h * .25
    if "capbot" in ex:
        text(im, (w * .25, h * .82, w * .75, h * .95), rng.choice(WORDS), f, ink, rng, .9); y1 = h * .76
    if "ind" in ex and (("?" not in ex) or rng.random() < .5):
        text(im, (w * .01, h * .6, w * .06, h * .8), "IND", f, BLUE, rng); x0 = w * .08
    if "egtop" in ex:
        dr.rectangle((0, 0, w, h * .3), fill=jit([(30, 110, 200), (220, 120, 30), RED][rng.integers(3)]))
        text(im, (w * .1, h * .06, w * .4, h * .24), "EGYPT", f, W, rng, .9); y0 = h * .36
    if "arR" in ex or "arB" in ex:
        fa = AR[rng.integers(len(AR))] if AR else f
        if "arR" in ex:
            text(im, (w * .75, h * .15, w * .95, h * .8), "دبي", fa, ink, rng); x1 = w * .7
        else:
            dr.line((0, h * .5, w, h * .5), fill=ink, width=3); dr.line((w * .5, 0, w * .5, h), fill=ink, width=3)
    if "jp" in ex:
        fj = JP[0] if JP else f
        top = rng.choice(["品川", "横浜", "大阪", "名古屋", "札幌"]) + " " + pat(rng, "999")
        text(im, (w * .28, h * .06, w * .72, h * .32), top, fj, ink, rng)
        text(im, (w * .03, h * .5, w * .13, h * .75), rng.choice(list("さすせそたちつてと")), fj, ink, rng)
        text(im, (w * .17, h * .4, w * .95, h * .92), pat(rng, "99-99"), f, ink, rng)
        rows = []
    if "cn" in ex.split():
        fj = JP[0] if JP else f
        rows = [r.replace("X", rng.choice(list("京沪粤川浙苏"))) for r in rows]
        f = fj if rng.random() < .8 else f
    if "rim" in ex:
        m = int(h * .04)
        dr.rounded_rectangle((m, m, w - m, h - m), 10, outline=ink, width=3)
    if rows:
        rh = (y1 - y0) / len(rows)
        for k, r in enumerate(rows):
            top = y0 + k * rh + (h * .02 if k else 0)
            bot = y0 + (k + 1) * rh - (h * .03 if k + 1 < len(rows) else 0)
            text(im, (x0, top, x1, bot), r, f, ink, rng, 1.0 if len(r) > 3 else .9)
        if "seal" in ex and " " in s:
            cx = x0 + (x1 - x0) * (s.index(" ") + .5) / len(s)
            dr.ellipse((cx - h * .1, h * .2, cx + h * .1, h * .4), fill=jit((150, 120, 60), 40))
            dr.ellipse((cx - h * .1, h * .55, cx + h * .1, h * .75), fill=jit((120, 130, 150), 40))
    if rng.random() < .7:
        dr.rounded_rectangle((1, 1, w - 2, h - 2), int(h * .08), outline=jit(ink if rng.random() < .6 else (90, 90, 90)), width=int(rng.integers(1, 5)))
    a = np.full((h, w), 255, np.uint8)
    if rng.random() < .8:
        m = Image.new("L", (w, h)); ImageDraw.Draw(m).rounded_rectangle((0, 0, w - 1, h - 1), int(h * rng.uniform(.02, .12)), fill=255)
        a = np.asarray(m)
    return wear(rng, np.dstack([np.asarray(im)[:, :, ::-1], a]))


def wear(rng, p):
    h, w = p.shape[:2]
    c = p[:, :, :3].astype(np.float32)
    if rng.random() < .35:                                      # dirt: low-frequency brown noise
        n = cv2.resize(rng.normal(0, 1, (max(2, h // 30), max(2, w // 30))).astype("f4"), (w, h), interpolation=cv2.INTER_CUBIC)
        m = np.clip(n * rng.uniform(.1, .5) + rng.uniform(-.2, .25), 0, .8)[..., None]
        c = c * (1 - m) + np.array([60, 80, 95], "f4") * m
    if rng.random() < .4:                                       # shadow edge or sun patch
        x = np.linspace(-1, 1, w)[None] * rng.normal() + np.linspace(-1, 1, h)[:, None] * rng.normal()
        c *= (1 + rng.uniform(-.5, .3) * (1 / (1 + np.exp(-x * rng.uniform(2, 20)))))[..., None]
    if rng.random() < .3:                                       # fading
        c = c * (k := rng.uniform(.5, .9)) + rng.uniform(100, 200) * (1 - k)
    if rng.random() < .3:                                       # screws
        for fx in (.12, .88):
            cv2.circle(c, (int(w * fx), int(h * rng.uniform(.1, .5))), max(2, h // 22), (float(rng.uniform(30, 220)),) * 3, -1)
    if rng.random() < .25:                                      # dealer frame hides the rim
        t = int(h * rng.uniform(.04, .12)); col = float(rng.uniform(5, 60))
        c[:t] = col; c[-t:] = col; c[:, :t] = col; c[:, -t:] = col
    p = p.copy()
    p[:, :, :3] = np.clip(c, 0, 255)
    return p


def _round_sign(rng):
    """Speed limits, stop and give-way signs, warning triangles, traffic lights, distance plates below
    signs: what a detector of round faces and lettered rectangles takes for its own."""
    kind = rng.integers(5)
    f = FONTS[rng.integers(len(FONTS))]
    jit = lambda c, a=14: tuple(int(np.clip(v + rng.normal(0, a), 0, 255)) for v in c)
    red, white = jit((190, 25, 35)), jit((238, 238, 235), 8)
    if kind == 0:                                               # ring with a number or nothing
        n = 200; im = Image.new("RGB", (n, n), white); m = Image.new("L", (n, n)); d, dm = ImageDraw.Draw(im), ImageDraw.Draw(m)
        dm.ellipse((2, 2, n - 3, n - 3), fill=255)
        if rng.random() < .25:
            d.rectangle((0, 0, n, n), fill=jit((25, 70, 170)))
        d.ellipse((2, 2, n - 3, n - 3), outline=red if rng.random() < .8 else jit((120, 120, 120)), width=int(rng.integers(14, 34)))
        if rng.random() < .8:
            text(im, (n * .26, n * .3, n * .74, n * .7), str(rng.choice(["20", "30", "40", "50", "60", "70", "80", "90", "100", "120", "3.5t", "2,2m", "P"])), f, K, rng)
    elif kind == 1:                                             # octagon
        n = 200; im = Image.new("RGB", (n, n), red); m = Image.new("L", (n, n)); c = n * .29
        pts = [(c, 0), (n - c, 0), (n, c), (n, n - c), (n - c, n), (c, n), (0, n - c), (0, c)]
        ImageDraw.Draw(m).polygon(pts, fill=255)
        ImageDraw.Draw(im).polygon([(n / 2 + (x - n / 2) * .93, n / 2 + (y - n / 2) * .93) for x, y in pts], outline=white, width=6)
        text(im, (n * .12, n * .34, n * .88, n * .66), str(rng.choice(["STOP", "STOP", "STOP", "ALTO", "PARE", "ARRET"])), f, white, rng)
    elif kind == 2:                                             # triangle
        n = 200; im = Image.new("RGB", (n, n), red); m = Image.new("L", (n, n)); up = rng.random() < .8
        t = lambda k: [(n / 2, n * k), (n * (1 - k), n * (1 - k * .7)), (n * k, n * (1 - k * .7))]
        tri = [t(.0), t(.17)]
        if not up:
            tri = [[(x, n - y) for x, y in q] for q in tri]
        ImageDraw.Draw(m).polygon(tri[0], fill=255)
        d = ImageDraw.Draw(im); d.polygon(tri[1], fill=white if rng.random() < .8 else jit((240, 200, 30)))
        for _ in range(int(rng.integers(0, 5))):
            x, y = rng.uniform(.38, .6) * n, rng.uniform(.45, .75) * n
            d.ellipse((x - 9, y - 9, x + rng.uniform(0, 20), y + rng.uniform(0, 30)), fill=K)
    elif kind == 3:                                             # traffic light
        w, h = 90, int(rng.choice([170, 230])); im = Image.new("RGB", (w, h), jit((28, 28, 28), 10)); m = Image.new("L", (w, h), 255)
        d = ImageDraw.Draw(im); on = rng.integers(3); nl = 3 if h > 200 else 2
        for k in range(nl):
            c = [(235, 40, 30), (250, 180, 40), (40, 220, 120)][k if nl == 3 else (0, 2)[k]]
            c = jit(c) if k == on or rng.random() < .3 else tuple(int(v * .22) for v in c)
            y = h * (k + .5) / nl
            d.ellipse((15, y - 30, 75, y + 30), fill=c)
            if rng.random() < .4:
                d.ellipse((30, y - 14, 52, y + 6), fill=tuple(min(255, int(v * 1.4)) for v in c))
    else:                                                       # distance or time plate, kilometre stone
        w, h = int(rng.uniform(200, 330)), int(rng.uniform(70, 130)); m = Image.new("L", (w, h), 255)
        bg, ink = [(white, K), (jit((25, 70, 170)), white), (jit((20, 110, 60)), white), (white, red)][rng.integers(4)]
        im = Image.new("RGB", (w, h), bg); d = ImageDraw.Draw(im)
        s = str(rng.choice(["600 m", "< 200 m >", "1,5 km", "300 m", "7-19 h", "8-18", "30 min", "ZONE", "frei", "STATE ST", "MAIN ST", "5th AVE", "0,4", "A1", "B 27", "Km 12", "P+R", "TAXI", "BUS"]))
        text(im, (w * .08, h * .2, w * .92, h * .8), s, f, ink, rng, .9 if rng.random() < .5 else 1)
        if rng.random() < .6:
            d.rectangle((3, 3, w - 4, h - 4), outline=ink, width=3)
    return wear(rng, np.dstack([np.asarray(im)[:, :, ::-1], np.asarray(m)]))


def render_sign(rng):
    """Street-name plates, arrows, shop fronts, stickers, numbers on walls: background for both classes."""
    if rng.random() < .55:
        return _round_sign(rng)
    w, h = int(rng.uniform(160, 420)), int(rng.uniform(60, 260))
    bgs = [(20, 60, 160), (15, 110, 60), W, Y, (170, 30, 35), (60, 60, 60), (120, 80, 40), (230, 120, 30)]
    bg = bgs[rng.integers(len(bgs))]
    ink = W if sum(bg) < 380 else [K, BLUE, RED][rng.integers(3)]
    im = Image.new("RGB", (w, h), bg)
    dr = ImageDraw.Draw(im)
    f = FONTS[rng.integers(len(FONTS))]
    n = int(np.clip(round(h / w * 3 + rng.uniform(0, 2)), 1, 4))
    for k in range(n):
        s = SIGN[rng.integers(len(SIGN))]
        text(im, (w * .08, h * (k + .18) / n, w * .92, h * (k + .82) / n), s, f, ink, rng, .9)
    if rng.random() < .5:
        dr.rounded_rectangle((3, 3, w - 4, h - 4), 8, outline=ink, width=3)
    if rng.random() < .3:
        x, y, r = rng.uniform(0, w), rng.uniform(0, h), h * .3
        dr.polygon([(x, y - r), (x + r, y), (x, y + r)], fill=ink)
    a = np.full((h, w), 255, np.uint8)
    if rng.random() < .25:                                      # round or triangular sign
        m = Image.new("L", (w, h)); d = ImageDraw.Draw(m)
        if rng.random() < .5:
            d.ellipse((0, 0, w, h), fill=255); ImageDraw.Draw(im).ellipse((0, 0, w, h), outline=RED, width=max(4, h // 10))
        else:
            d.polygon([(w // 2, 0), (w, h), (0, h)], fill=255)
        a = np.asarray(m)
    return wear(rng, np.dstack([np.asarray(im)[:, :, ::-1], a]))


def sheet(path, n=48):
    rng = np.random.default_rng(1)
    cells = []
    for k in range(n):
        p = render(rng, SPECS[k % len(SPECS)]) if k < n - 8 else render_sign(rng)
        cells.append(cv2.resize(p[:, :, :3], (240, 110)))
    cv2.imwrite(path, np.vstack([np.hstack(cells[i:i + 8]) for i in range(0, n, 8)]))


if __name__ == "__main__":
    import sys
    sheet(sys.argv[1] if len(sys.argv) > 1 else "/tmp/train/plates.png", 64)
    print(len(FONTS), "fonts", len(JP), len(AR))
