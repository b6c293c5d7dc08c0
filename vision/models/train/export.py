"""Checkpoint -> one ONNX file with the decoding inside (opset 17, dynamic H and W).

    python export.py ckpt.pt ../weights/streetguard-s.onnx

Checks that ONNX Runtime gives the same boxes and scores as PyTorch on two
sizes, and prints the SHA-256 and the size of the file.
"""
import hashlib
import os
import sys
import warnings

import numpy as np
import onnx
import torch

import model as M

warnings.filterwarnings("ignore")


def export(net, path):
    net = M.fold(net)
    e = M.Export(net.eval().to(memory_format=torch.contiguous_format))
    x = torch.rand(1, 3, 256, 320) * 255
    torch.onnx.export(e, x, path, input_names=["image"], output_names=["boxes", "scores"],
                      opset_version=17, dynamo=False,
                      dynamic_axes={"image": {2: "height", 3: "width"},
                                    "boxes": {0: "n"}, "scores": {0: "n"}})
    m = onnx.load(path)
    m.producer_name, m.producer_version = "roadcomb", ""
    m.doc_string = ("Faces and licence plates. image: float32 1x3xHxW BGR 0..255, H and W multiples "
                    "of 32. boxes: Nx4 x1,y1,x2,y2 in input pixels. scores: Nx2 face, plate.")
    del m.metadata_props[:]
    onnx.checker.check_model(m)
    onnx.save(m, path)
    return e


def main(ckpt, path):
    import onnxruntime as ort
    net, d = M.load(ckpt)
    plain = M.Export(M.load(ckpt)[0].eval())              # unfolded: the check covers fold() too
    export(net, path)
    s = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    for h, w in ((224, 352), (480, 640)):
        x = np.random.default_rng(0).uniform(0, 255, (1, 3, h, w)).astype("f4")
        with torch.no_grad():
            tb, ts = plain(torch.from_numpy(x))
        b, sc = s.run(None, {"image": x})
        assert np.abs(b - tb.numpy()).max() < 0.5 and np.abs(sc - ts.numpy()).max() < 1e-3, "mismatch"
    data = open(path, "rb").read()
    print(path, os.path.getsize(path), hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:3])
