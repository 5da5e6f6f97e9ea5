#!/usr/bin/env python3
"""PyTorch, eager and by torch.compile, as a peer of sage_bench and sage_bench_cuda (see peer.hpp):

    sage_bench --peer "python3 benchmarks/torch_compile.py"
    sage_bench_cuda --peer "python3 benchmarks/torch_compile.py --device cuda"

The losses are those of libtorch.cpp; values with gradients, and the pair of blurred images. On the CPU on one thread; on a
GPU timed by events, as launched and, compiled, from a CUDA graph. Halves are widened first, as automatic mixed precision
does for losses. Compiling takes seconds for each shape and needs a C++ compiler, on a GPU Triton; where it fails, or memory
does not suffice, eager stands alone, or nothing. PyTorch keeps what it compiled in TORCHINDUCTOR_CACHE_DIR.
"""

import argparse
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
TYPES = {"float": torch.float32, "half": torch.float16, "bfloat16": torch.bfloat16}


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


def widened(function):
    """The function of tensors of floats; halves become floats in it."""

    def of_floats(*tensors):
        return function(*(x.float() if x.is_floating_point() else x for x in tensors))

    return of_floats


class CpuClock:
    def start(self) -> None:
        self.begin = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self.begin


class CudaClock:
    """Events of the current stream."""

    def start(self) -> None:
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.begin.record()

    def seconds(self) -> float:
        self.end.record()
        self.end.synchronize()
        return self.begin.elapsed_time(self.end) * 1e-3


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]


def release(device: str) -> None:
    """What no tensor needs any more goes back to the device, for others to use."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


class Workload:
    """What `open` names: the shapes of its inputs, the loss, and which inputs are differentiated."""

    def __init__(self, name: str, sets: int, folder: str, device: str):
        loss, mode, element, shape = name.split("/")[:4]
        self.mode, self.folder, self.device = mode, folder, device
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
            last = [(weight / weight.sum()).float().to(device)]
        else:
            count, self.function = {"triplet": (3, triplet), "consistency": (2, divergence), "cross_entropy": (1, F.cross_entropy)}[loss]
            shapes, wanted = [tuple(numbers)] * count, range(count)
        # The file may hold fewer samples than the shapes have: these repeat.
        samples = [math.prod(s[1:]) for s in shapes]
        self.period = os.path.getsize(folder + "/inputs") // (4 * sum(samples))
        repeats = torch.arange(numbers[0], device=device) % self.period

        def tensor(x):
            x = x.to(device)
            return x[repeats] if self.period < numbers[0] else x.clone()

        if loss in ("sage", "cross_entropy"):
            last = [tensor(torch.from_file(folder + "/labels", size=self.period, dtype=torch.int64))]
        everything = torch.from_file(folder + "/inputs", size=self.period * sum(samples), dtype=torch.float32)
        parts = everything.split([self.period * s for s in samples])
        first = [x.view(self.period, *s[1:]).to(TYPES[element]) for x, s in zip(parts, shapes)]
        if element != "float":
            self.function = widened(self.function)
        self.sets, self.wanted = [], []
        for _ in range(sets):
            inputs = [tensor(x) for x in first]
            differentiated = [inputs[k] for k in wanted] if mode == "value_and_grad" else []
            for x in differentiated:
                x.requires_grad_()
            self.sets.append(inputs + last)
            self.wanted.append(differentiated)
        torch._dynamo.reset()  # what was compiled for other shapes
        compiled = torch.compile(self.function, dynamic=False)
        self.providers, self.names, self.graphs = [], [], []
        for kind, function in ("eager", self.function), ("compiled", compiled), ("compiled graph", compiled):
            if kind.endswith("graph") and (device == "cpu" or f"{VERSION} compiled" not in self.names):
                continue
            self.providers.append(function)
            self.graphs.append(None)
            try:
                self.run(-1, 0)
                if kind.endswith("graph"):
                    self.graphs[-1] = self.captured()
                self.names.append(f"{VERSION} {kind}")
            except Exception as error:
                print(f"torch_compile.py: {name} is not {kind}: {first_line(error)}", file=sys.stderr)
                self.providers.pop()
                self.graphs.pop()
            release(device)

    def captured(self):
        """One graph with a run for each set: its work on the device alone, without the time that Python takes."""
        others = torch.cuda.Stream()
        others.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(others):  # as PyTorch asks for, before a capture
            for _ in range(3):
                self.run(-1, 0)
        torch.cuda.current_stream().wait_stream(others)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for index in range(len(self.sets)):
                self.run(-1, index)
        return graph

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
                x = x[: self.period].float().cpu().contiguous()
                file.write(ctypes.string_at(x.data_ptr(), x.numel() * x.element_size()))

    def time(self, provider: int, runs: int) -> float:
        clock = CudaClock() if self.device == "cuda" else CpuClock()
        if graph := self.graphs[provider]:
            rounds = -(-runs // len(self.sets))
            graph.replay()
            clock.start()
            for _ in range(rounds):
                graph.replay()
            return clock.seconds() * runs / (rounds * len(self.sets))
        index, start = 0, time.perf_counter()
        for k in range(3):
            if k and time.perf_counter() - start > WARM_UP:
                break
            self.run(provider, index)
            index = (index + 1) % len(self.sets)
        clock.start()
        for _ in range(runs):
            self.run(provider, index)
            index += 1
            if index == len(self.sets):
                index = 0
        return clock.seconds()


def name_of(device: str) -> str:
    if device == "cpu":
        return VERSION
    try:
        from triton import __version__ as triton
    except ImportError:
        triton = "none"
    return f"{VERSION}, CUDA {torch.version.cuda}, Triton {triton}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        print("error this PyTorch has no CUDA device", file=answers)
        return
    torch.set_num_threads(1)
    # Floats are floats: these would be ten bits of them.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    gc.disable()  # as timeit does
    print(name_of(device), file=answers)
    workload = None
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            if verb == "open":
                name, sets, _, folder = words
                workload = None
                if name.split("/")[1] in ("value_and_grad", "pair") and name.split("/")[2] in TYPES:
                    try:
                        workload = Workload(name, int(sets), folder, device)
                    except torch.cuda.OutOfMemoryError as error:
                        print(f"torch_compile.py: {name} left out: {first_line(error)}", file=sys.stderr)
                print(*(workload.names if workload else ()), sep="\t", file=answers)
            elif verb == "answer":
                workload.answer(int(words[0]))
                print("done", file=answers)
            elif verb == "time":
                print(workload.time(int(words[0]), int(words[1])), file=answers)
            elif verb == "close":
                workload = None
                release(device)
                print("done", file=answers)
            else:
                raise ValueError(f"what is {line!r}?")
        except Exception as error:  # told to sage_bench, which ends
            print("error", first_line(error), file=answers)


if __name__ == "__main__":
    main()
