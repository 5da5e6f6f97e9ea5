#!/usr/bin/env python3
"""Draws the results of sage_bench: how many times faster than each peer, and how the time grows."""

import argparse
import math
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from results import Results

PEERS = {  # and their colours
    r"LibTorch eager": "#2a78d6",
    r"LibTorch scripted": "#1baf7a",
    r"LibTorch [\d.]+ eager": "#8ab8ee",
    r"PyTorch [\d.]+ compiled": "#c2427c",
    r"PyTorch [\d.]+ eager": "#8fa3ad",  # on a GPU; on the CPU LibTorch's eager is the same
    r"Eigen": "#eda100",
    r"xtensor": "#008300",
    r"plain loop": "#4a3aa7",
    r"OpenCV blur alone": "#e34948",
}
ROWS = {  # of DESIGN section 9
    "triplet/value_and_grad/float/256x2048": "triplet 256×2048",
    "consistency/value_and_grad/float/256x1000": "JS 256×1000",
    "consistency/value_and_grad/float/256x10": "JS 256×10",
    "consistency/value_and_grad/float/256x2": "JS 256×2",
    "blur_pair/pair/float/32x3x224x224,sigma=4": "blur σ=4, x⁺, x⁻\n32×3×224×224",
    "blur_pair/pair/float/32x3x224x224,sigma=10": "blur σ=10, x⁺, x⁻\n32×3×224×224",
    "sage/value_and_grad/float/64x(512,5)": "SAGE 64×(512, 5)",
    "sage/value_and_grad/float/256x(2048,1000)": "SAGE 256×(2048, 1000)",
    # What fills a GPU:
    "triplet/value_and_grad/float/8192x4096": "triplet 8192×4096",
    "consistency/value_and_grad/float/65536x1024": "JS 65536×1024",
    "cross_entropy/value_and_grad/float/8192x128000": "cross entropy 8192×128 000",
    "sage/value_and_grad/float/8192x(4096,1000)": "SAGE 8192×(4096, 1000)",
    "blur_pair/pair/float/256x3x224x224,sigma=4": "blur σ=4, x⁺, x⁻\n256×3×224×224",
}
CURVES = {
    "growth_N": ("rows N (triplet: D = 512, JS: K = 10)", r"/(\d+)x"),
    "growth_batch": ("batch N, SAGE (512, 2)", r"/(\d+)x"),
    "growth_D": ("embedding D, N = 256", r"x(\d+)$"),
    "growth_K": ("classes K, N = 256", r"x(\d+)$"),
}
LINES = {"sage": "-o", "LibTorch eager": "--o", "copy": ":"}
LOSSES = {"triplet": ("triplet", "#2a78d6"), "consistency": ("JS", "#1baf7a"), "sage": ("SAGE", "#eda100"),
          "blur_pair": ("blur", "#e34948")}


def subtitle(results: Results) -> str:
    c = results.context
    peers = [c[key] for key in sorted(c) if key.startswith("peer ")]
    beside = f"driver {c['driver']}" if "driver" in c else f"LibTorch {c.get('LibTorch', '-')}"
    return ", ".join([c["processor"], c["instructions"], f"{c['compiler']} {c['flags']}", beside, *peers, c["commit"]])


def colours_of(providers: dict[str, float]) -> dict[str, str]:
    """Of the peers among them, in the order of PEERS."""
    has_libtorch = "LibTorch eager" in providers
    return {p: colour for pattern, colour in PEERS.items() for p in sorted(providers)
            if re.fullmatch(pattern, p) and not (has_libtorch and re.fullmatch(r"PyTorch [\d.]+ eager", p))}


def time_text(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def draw_peers(results: Results, path: Path) -> bool:
    rows = [row for row in ROWS if "sage" in results.providers(row)]
    if not rows:
        return False
    peers_of = {row: colours_of(results.providers(row)) for row in rows}
    figure, axes = plt.subplots(figsize=(10, 1.4 + sum(0.2 * len(p) + 0.2 for p in peers_of.values())), layout="constrained")
    ticks = []
    y = 0.0
    used = {}
    for row in rows:
        seconds = results.providers(row)
        ticks.append(y + (len(peers_of[row]) - 1) / 2)
        for peer, colour in peers_of[row].items():
            ratio = seconds[peer] / seconds["sage"]
            used[peer] = axes.barh(y, ratio - 1, left=1, height=0.85, color=colour)
            axes.text(max(ratio, 1) * 1.04, y, f"{ratio:.3g}", va="center", fontsize=8, color="#333")
            y += 1
        y += 0.9
    axes.set_yticks(ticks, [f"{ROWS[r]}\n{time_text(results.providers(r)['sage'])}" for r in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="#333", linewidth=1)
    axes.xaxis.set_major_formatter("{x:g}")
    where = "on a GPU" if "driver" in results.context else "one thread"
    axes.set_xlabel(f"sage is so many times faster than … ({where}, value and all gradients, float; log scale)")
    axes.grid(axis="x", color="#ddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    named = sorted(used, key=list(colours_of(used)).index)
    axes.legend([used[p] for p in named], named, frameon=False, fontsize=9, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.margins(y=0.01)
    figure.text(0.01, -0.02, subtitle(results), fontsize=7, color="#555")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    return True


def slope(points: list[tuple[int, float]]) -> float:
    """The exponent of growth over the larger half of the sizes, as sage_bench prints it (growth.cpp)."""
    half = [(math.log(x), math.log(y)) for x, y in sorted(points)[len(points) // 2:]]
    mean_x, mean_y = (sum(v) / len(half) for v in zip(*half))
    return sum((x - mean_x) * (y - mean_y) for x, y in half) / sum((x - mean_x) ** 2 for x, _ in half)


def draw_growth(results: Results, path: Path) -> bool:
    """Time over each extent, where linear growth is a slope of one, and the speed-up by threads."""
    curves = {family: results.workloads(family + "/") for family in CURVES}
    if not any(curves.values()):
        return False
    figure, panels = plt.subplots(1, 5, figsize=(20, 4), layout="constrained")
    for axes, (family, (label, extent)) in zip(panels, CURVES.items()):
        lines = {}
        for workload in curves[family]:
            x = int(re.search(extent, workload).group(1))
            seconds = results.providers(workload)
            seconds["copy"] = min(t for provider, t in seconds.items() if provider.startswith("limit"))
            for provider in LINES:
                if provider in seconds:
                    lines.setdefault((workload.split("/")[1], provider), []).append((x, seconds[provider] * 1e6))
        for (loss, provider), points in lines.items():
            name, colour = LOSSES[loss]
            exponent = f", slope {slope(points):.2f}" if len(points) >= 4 else ""
            axes.plot(*zip(*sorted(points)), LINES[provider], color=colour, markersize=3, linewidth=1.5,
                      label=f"{name}, {provider}{exponent}")
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="µs")
        if lines:
            axes.legend(frameon=False, fontsize=8)
    axes = panels[-1]
    for workload in results.workloads("threads/"):
        seconds = results.providers(workload)
        by_threads = {1: seconds["sage"]}
        for provider, t in seconds.items():
            if match := re.fullmatch(r"sage (\d+) threads", provider):
                by_threads[int(match.group(1))] = t
        x = sorted(by_threads)
        name, colour = LOSSES[workload.split("/")[1]]
        axes.plot(x, [seconds["sage"] / by_threads[n] for n in x], "-o", color=colour, label=f"{name} {workload.split('/')[-1]}")
        axes.plot(x, x, color="#bbb", linewidth=1, zorder=0)
        axes.set_xticks(x)
    axes.set(xlabel="threads", ylabel="times as fast as one")
    if results.workloads("threads/"):
        axes.legend(frameon=False, fontsize=7)
    for axes in panels:
        axes.grid(color="#ddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.01, -0.03, "value and all gradients, float; slope: of the larger half of the sizes; copy: the same tensors, read and written. " + subtitle(results),
                fontsize=7, color="#555")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="JSON of sage_bench")
    parser.add_argument("chart", type=Path, help="PNG to write; where there are curves, too, they go to <chart>-growth.png")
    arguments = parser.parse_args()
    results = Results(arguments.results)
    drawn = [arguments.chart] if draw_peers(results, arguments.chart) else []
    growth = arguments.chart.with_name(arguments.chart.stem + "-growth.png") if drawn else arguments.chart
    if draw_growth(results, growth):
        drawn.append(growth)
    if not drawn:
        sys.exit("chart.py: these results hold neither rows of the table nor curves")
    print(*drawn, sep="\n")


if __name__ == "__main__":
    main()
