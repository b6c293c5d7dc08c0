"""Prints the track of each film given as mapillary_tools reads it: {name: {"model": …, "points": [[s, lat, lon, alt, unix or null]]}}.

With "time N" before the names it reads each N times and prints {name: seconds} for one reading."""
import json
import os
import sys
import time

from mapillary_tools import blackvue_parser
from mapillary_tools.camm import camm_parser
from mapillary_tools.gpmf import gpmf_parser


def read(path):
    with open(path, "rb") as fp:
        kind = os.path.basename(path).split("-")[0]
        if kind == "camm":
            info = camm_parser.extract_camm_info(fp)
            points = info.gps or info.mini_gps
            return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, getattr(p, "time_gps_epoch", None)] for p in points]}
        if kind == "gpmf":
            info = gpmf_parser.extract_gopro_info(fp)
            return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, p.epoch_time] for p in info.gps]}
        info = blackvue_parser.extract_blackvue_info(fp)
        return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, None] for p in info.gps]}


if sys.argv[1] == "time":
    n, out = int(sys.argv[2]), {}
    for name in sys.argv[3:]:
        begin = time.perf_counter()
        for _ in range(n):
            read(name)
        out[name] = (time.perf_counter() - begin) / n
    print(json.dumps(out))
else:
    print(json.dumps({name: read(name) for name in sys.argv[1:]}))
