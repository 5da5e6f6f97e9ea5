#!/usr/bin/env python3
"""PyTorch, eager and by torch.compile, as a peer of sage_bench (see peer.hpp):

    sage_bench --peer "python3 benchmarks/torch_compile.py"

The losses are those of libtorch.cpp; values with gradients, and the pair of blurred images, in float, on one thread.
Compiling takes seconds for each shape and needs a C++ compiler; where it fails, eager stands alone. PyTorch keeps what it
compiled in TORCHINDUCTOR_CACHE_DIR.
"""

import ctypes
import gc
import logging
import math
import os
import struct
import sys
import time
import warnings

# Nothing but answers may reach sage_bench.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
warnings.filterwarnings("ignore")

import torch
import torch.nn.functional as F

logging.getLogger("torch").setLevel(logging.ERROR)

MARGIN, TEMPERATURE, EPSILON = 0.5, 2.0, 1e-6  # workload.hpp
WARM_UP = 0.02  # seconds, as in provider.hpp
VERSION = "PyTorch " + torch.__version__.split("+")[0]


def divergence(z, other):
    log_p, log_q = F.log_softmax(z / TEMPERATURE, -1), F.log_softmax(other / TEMPERATURE, -1)
    p, q = log_p.exp(), log_q.exp()
    log_m = (0.5 * (p + q)).log()
    return 0.5 * ((p * (log_p - log_m)).sum(-1) + (q * (log_q - log_m)).sum(-1)).mean()


def triplet(a, p, n):
    return F.triplet_margin_loss(a, p, n, margin=MARGIN, eps=EPSILON)


def sage(z, plus, minus, e, e_plus, e_minus, labels):
    a, p, n = F.normalize(e), F.normalize(e_plus), F.normalize(e_minus)
    hinge = (MARGIN + (a - p).norm(dim=-1) - (a - n).norm(dim=-1)).clamp_min(0).mean()
    return F.cross_entropy(z, labels) + F.cross_entropy(plus, labels) + hinge + divergence(z, plus)


def blur_pair(x, s, weight):
    r = weight.numel() // 2
    planes = F.pad(x.flatten(0, 1).unsqueeze(1), (r, r, r, r), mode="reflect")
    a = F.conv2d(F.conv2d(planes, weight.view(1, 1, -1, 1)), weight.view(1, 1, 1, -1)).view(x.shape)
    d = s * (x - a)
    return a + d, x - d


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]


class Workload:
    """What `open` names: the shapes of its inputs, the loss, and which inputs are differentiated."""

    def __init__(self, name: str, sets: int, folder: str):
        loss, mode, _, shape = name.split("/")[:4]
        self.mode, self.folder = mode, folder
        numbers = [int(n) for n in shape.split(",sigma=")[0].replace("(", "").replace(")", "").replace(",", "x").split("x")]
        last = []
        if loss == "sage":
            n, d, k = numbers
            shapes, self.function, wanted = [(n, k)] * 3 + [(n, d)] * 3, sage, [0, 1, 3, 4, 5]
        elif loss == "blur_pair":
            n, c, h, w = numbers
            shapes, self.function, wanted = [(n, c, h, w), (n, 1, h, w)], blur_pair, []
            sigma = float(shape.split("=")[1])
            k = torch.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1, dtype=torch.float64)
            weight = (-(k * k) / (2 * sigma * sigma)).exp()
            last = [(weight / weight.sum()).float()]
        else:
            count, self.function = {"triplet": (3, triplet), "consistency": (2, divergence), "cross_entropy": (1, F.cross_entropy)}[loss]
            shapes, wanted = [tuple(numbers)] * count, range(count)
        if loss in ("sage", "cross_entropy"):
            last = [torch.from_file(folder + "/labels", size=numbers[0], dtype=torch.int64).clone()]

        sizes = [math.prod(s) for s in shapes]
        everything = torch.from_file(folder + "/inputs", size=sum(sizes), dtype=torch.float32)
        first = [x.view(s) for x, s in zip(everything.split(sizes), shapes)]
        self.sets, self.wanted = [], []
        for _ in range(sets):
            inputs = [x.clone() for x in first]
            differentiated = [inputs[k] for k in wanted] if mode == "value_and_grad" else []
            for x in differentiated:
                x.requires_grad_()
            self.sets.append(inputs + last)
            self.wanted.append(differentiated)
        torch._dynamo.reset()  # what was compiled for other shapes
        self.providers, self.names = [], []
        for name, function in ("eager", self.function), ("compiled", torch.compile(self.function, dynamic=False)):
            self.providers.append(function)
            try:
                self.run(-1, 0)
                self.names.append(f"{VERSION} {name}")
            except Exception as error:
                print(f"torch_compile.py: {self.function.__name__} is not {name}: {first_line(error)}", file=sys.stderr)
                self.providers.pop()

    def run(self, provider: int, index: int):
        """The value, or nothing, and the outputs."""
        function = self.providers[provider]
        if self.mode == "value_and_grad":
            value = function(*self.sets[index])
            return value, torch.autograd.grad(value, self.wanted[index])
        with torch.no_grad():
            return None, function(*self.sets[index])

    def answer(self, provider: int) -> None:
        value, outputs = self.run(provider, 0)
        with open(self.folder + "/answer", "wb") as file:
            file.write(struct.pack("d", 0.0 if value is None else value.item()))
            for x in outputs:
                x = x.contiguous()
                file.write(ctypes.string_at(x.data_ptr(), x.numel() * x.element_size()))

    def time(self, provider: int, runs: int) -> float:
        index, start = 0, time.perf_counter()
        for k in range(3):
            if k and time.perf_counter() - start > WARM_UP:
                break
            self.run(provider, index)
            index = (index + 1) % len(self.sets)
        start = time.perf_counter()
        for _ in range(runs):
            self.run(provider, index)
            index += 1
            if index == len(self.sets):
                index = 0
        return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    gc.disable()  # as timeit does
    print(VERSION, file=answers)
    workload = None
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            if verb == "open":
                name, sets, _, folder = words
                workload = None
                if name.split("/")[1:3] in (["value_and_grad", "float"], ["pair", "float"]):
                    workload = Workload(name, int(sets), folder)
                print(*(workload.names if workload else ()), sep="\t", file=answers)
            elif verb == "answer":
                workload.answer(int(words[0]))
                print("done", file=answers)
            elif verb == "time":
                print(workload.time(int(words[0]), int(words[1])), file=answers)
            elif verb == "close":
                workload = None
                gc.collect()
                print("done", file=answers)
            else:
                raise ValueError(f"what is {line!r}?")
        except Exception as error:  # told to sage_bench, which ends
            print("error", first_line(error), file=answers)


if __name__ == "__main__":
    main()
