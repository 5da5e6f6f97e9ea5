#!/usr/bin/env python3
"""Compares two results of sage_bench. Prints what changed by more than both runs' noise and the threshold."""

import argparse
import sys
from pathlib import Path

from results import Results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path, help="JSON of the earlier run")
    parser.add_argument("new", type=Path, help="JSON of the later run")
    parser.add_argument("--threshold", type=float, default=0.1, help="relative change that counts (default %(default)s)")
    parser.add_argument("--provider", default="sage", help="rows whose provider starts so (default %(default)s); '' for all")
    parser.add_argument("--relative", metavar="PROVIDER", help="compare not times, but times over this provider's of the "
                        "same run, as 'plain loop': what slowed the machine as a whole then has no say")
    parser.add_argument("--fail", action="store_true", help="exit with 1 if anything became slower")
    arguments = parser.parse_args()

    old, new = Results(arguments.old), Results(arguments.new)
    for key in ("processor", "instructions", "driver", "compiler", "flags", "commit", "LibTorch"):
        if key not in old.context and key not in new.context:
            continue
        before, after = old.context.get(key, "?"), new.context.get(key, "?")
        print(f"{key:13}{before}" + (f"  ->  {after}" if before != after else ""))

    provider_of = lambda name: name.rsplit("/", 1)[1]
    peer_of = lambda name: f"{name.rsplit('/', 1)[0]}/{arguments.relative}"
    in_both = [name for name in new.seconds if name in old.seconds]
    common = [name for name in in_both if provider_of(name).startswith(arguments.provider)]
    if arguments.relative:
        common = [name for name in common if peer_of(name) in in_both]
    if not common:
        providers = dict.fromkeys(provider_of(name) for name in in_both)
        sys.exit("compare.py: " + (f"no such row is in both runs, whose providers are {', '.join(providers)}" if providers
                                   else "the two runs have no row in common"))
    slower = faster = 0
    for name in common:
        ratio = new.seconds[name] / old.seconds[name]
        noise = old.variation.get(name, 0) + new.variation.get(name, 0)
        if arguments.relative:
            peer = peer_of(name)
            ratio *= old.seconds[peer] / new.seconds[peer]
            noise += old.variation.get(peer, 0) + new.variation.get(peer, 0)
        allowed = max(arguments.threshold, 2 * noise)
        if ratio > 1 + allowed:
            slower += 1
        elif ratio < 1 / (1 + allowed):
            faster += 1
        else:
            continue
        word = "slower" if ratio > 1 else "faster"
        print(f"{word}  {name:70} {old.seconds[name] * 1e6:10.2f} -> {new.seconds[name] * 1e6:10.2f} us  x{ratio:.2f}")
    print(f"{len(common)} rows: {slower} slower, {faster} faster, {len(common) - slower - faster} within "
          f"{arguments.threshold:.0%} or twice the noise; {len(new.seconds.keys() - old.seconds.keys())} new, "
          f"{len(old.seconds.keys() - new.seconds.keys())} gone")
    return 1 if arguments.fail and slower else 0


if __name__ == "__main__":
    sys.exit(main())
