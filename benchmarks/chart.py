#!/usr/bin/env python3
"""Draws the results of sage_bench: how many times faster than each peer, and how the time grows."""

import argparse
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from results import Results

PEERS = ["LibTorch eager", "LibTorch scripted", "Eigen", "xtensor", "plain loop", "OpenCV blur alone"]
ROWS = {  # of DESIGN section 9
    "triplet/value_and_grad/float/256x2048": "triplet 256×2048",
    "consistency/value_and_grad/float/256x1000": "JS 256×1000",
    "consistency/value_and_grad/float/256x10": "JS 256×10",
    "consistency/value_and_grad/float/256x2": "JS 256×2",
    "blur_pair/pair/float/32x3x224x224,sigma=4": "blur σ=4, x⁺, x⁻\n32×3×224×224",
    "blur_pair/pair/float/32x3x224x224,sigma=10": "blur σ=10, x⁺, x⁻\n32×3×224×224",
    "sage/value_and_grad/float/64x(512,5)": "SAGE 64×(512, 5)",
    "sage/value_and_grad/float/256x(2048,1000)": "SAGE 256×(2048, 1000)",
}
COLOURS = ["#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948"]
CURVES = {
    "growth_N": ("rows N", r"/(\d+)x"),
    "growth_batch": ("batch N, SAGE (512, 2)", r"/(\d+)x"),
    "growth_D": ("embedding D, N = 256", r"x(\d+)$"),
    "growth_K": ("classes K, N = 256", r"x(\d+)$"),
}


def subtitle(results: Results) -> str:
    c = results.context
    return f"{c['processor']}, {c['instructions']}, {c['compiler']} {c['flags']}, LibTorch {c.get('LibTorch', '-')}, {c['commit']}"


def draw_peers(results: Results, path: Path) -> bool:
    rows = [row for row in ROWS if "sage" in results.providers(row)]
    if not rows:
        return False
    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.85 * len(rows)), layout="constrained")
    ticks = []
    y = 0.0
    used = {}
    for row in rows:
        seconds = results.providers(row)
        peers = [p for p in PEERS if p in seconds]
        ticks.append(y + (len(peers) - 1) / 2)
        for peer in peers:
            ratio = seconds[peer] / seconds["sage"]
            used[peer] = axes.barh(y, ratio - 1, left=1, height=0.85, color=COLOURS[PEERS.index(peer)])
            axes.text(max(ratio, 1) * 1.04, y, f"{ratio:.3g}", va="center", fontsize=8, color="#333")
            y += 1
        y += 0.9
    axes.set_yticks(ticks, [f"{ROWS[r]}\n{results.providers(r)['sage'] * 1e6:.4g} µs" for r in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="#333", linewidth=1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("sage is so many times faster than … (one thread, value and all gradients, float; log scale)")
    axes.grid(axis="x", color="#ddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend([used[p] for p in PEERS if p in used], [p for p in PEERS if p in used], frameon=False, fontsize=9,
                ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.margins(y=0.01)
    figure.text(0.01, -0.02, subtitle(results), fontsize=7, color="#555")
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return True


def draw_growth(results: Results, path: Path) -> bool:
    """Time over each extent, where linear growth is a slope of one, and the speed-up by threads."""
    if not results.workloads("growth"):
        return False
    figure, panels = plt.subplots(1, 5, figsize=(20, 4), layout="constrained")
    for axes, (family, (label, extent)) in zip(panels, CURVES.items()):
        lines = {}
        for workload in results.workloads(family + "/"):
            x = int(re.search(extent, workload).group(1))
            loss = workload.split("/")[1].replace("consistency", "JS")
            for provider, seconds in results.providers(workload).items():
                if provider in ("sage", "LibTorch eager"):
                    lines.setdefault((loss, provider), []).append((x, seconds * 1e6))
        for (loss, provider), points in lines.items():
            colour = COLOURS[["triplet", "JS", "sage"].index(loss)]
            style = "-o" if provider == "sage" else "--o"
            axes.plot(*zip(*sorted(points)), style, color=colour, markersize=3, linewidth=1.5, label=f"{loss}, {provider}")
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="µs")
        axes.legend(frameon=False, fontsize=8)
    axes = panels[-1]
    for k, workload in enumerate(results.workloads("threads/")):
        seconds = results.providers(workload)
        by_threads = {1: seconds["sage"]}
        for provider, t in seconds.items():
            if match := re.fullmatch(r"sage (\d+) threads", provider):
                by_threads[int(match.group(1))] = t
        x = sorted(by_threads)
        axes.plot(x, [seconds["sage"] / by_threads[n] for n in x], "-o", color=COLOURS[k], label=workload.split("/", 1)[1])
        axes.plot(x, x, color="#bbb", linewidth=1, zorder=0)
    axes.set(xlabel="threads", ylabel="times faster than one")
    axes.legend(frameon=False, fontsize=7)
    for axes in panels:
        axes.grid(color="#ddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.01, -0.03, subtitle(results), fontsize=7, color="#555")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="JSON of sage_bench")
    parser.add_argument("chart", type=Path, help="PNG to write; the curves go to <chart>-growth.png")
    arguments = parser.parse_args()
    results = Results(arguments.results)
    growth = arguments.chart.with_name(arguments.chart.stem + "-growth.png")
    drawn = [path for draw, path in ((draw_peers, arguments.chart), (draw_growth, growth)) if draw(results, path)]
    if not drawn:
        sys.exit("chart.py: these results hold neither rows of the table nor curves")
    print(*drawn, sep="\n")


if __name__ == "__main__":
    main()
