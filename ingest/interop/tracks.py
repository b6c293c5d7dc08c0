"""Prints what each film given holds as mapillary_tools reads it: {name: {"model": …, "points": [[s, lat, lon, alt, unix or null]],
"felt": [[s, three axes in m/s² in the order of the file]]}}.

With "time N" before the names it reads each film's points N times and prints {name: seconds} for one reading."""
import json
import os
import sys
import time

from mapillary_tools import blackvue_parser
from mapillary_tools.camm import camm_parser
from mapillary_tools.gpmf import gpmf_parser


def kind(path):
    return os.path.basename(path).split("-")[0]


def read(path):
    with open(path, "rb") as fp:
        if kind(path) == "camm":
            info = camm_parser.extract_camm_info(fp)
            points = info.gps or info.mini_gps
            return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, getattr(p, "time_gps_epoch", None)] for p in points]}
        if kind(path) == "gpmf":
            info = gpmf_parser.extract_gopro_info(fp)
            return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, p.epoch_time] for p in info.gps]}
        info = blackvue_parser.extract_blackvue_info(fp)
        return {"model": info.model, "points": [[p.time, p.lat, p.lon, p.alt, None] for p in info.gps]}


def felt(path):
    with open(path, "rb") as fp:
        if kind(path) == "camm":
            return [[a.time, a.x, a.y, a.z] for a in camm_parser.extract_camm_info(fp, telemetry_only=True).accl or []]
        if kind(path) == "gpmf":
            return [[a.time, a.z, a.x, a.y] for a in gpmf_parser.extract_gopro_info(fp, telemetry_only=True).accl or []]
    return []


if sys.argv[1] == "time":
    n, out = int(sys.argv[2]), {}
    for name in sys.argv[3:]:
        begin = time.perf_counter()
        for _ in range(n):
            read(name)
        out[name] = (time.perf_counter() - begin) / n
    print(json.dumps(out))
else:
    print(json.dumps({name: {**read(name), "felt": felt(name)} for name in sys.argv[1:]}))
