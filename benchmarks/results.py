"""Results of sage_bench: Google Benchmark's JSON, by workload and provider."""

import json
import sys
from pathlib import Path

TO_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class Results:
    def __init__(self, path: Path):
        self.seconds, self.variation = {}, {}
        try:
            data = json.loads(path.read_text())
            self.context = data["context"]
            if "processor" not in self.context:
                raise KeyError("processor")
            self._read(data["benchmarks"])
        except OSError as error:
            sys.exit(f"cannot read {path}: {error.strerror}")
        except ValueError as error:
            sys.exit(f"{path} is no JSON, or that of a run which was interrupted: {error}")
        except (KeyError, TypeError, AttributeError) as error:
            sys.exit(f"{path} holds no results of sage_bench: {error!r}")

    def _read(self, runs: list[dict]) -> None:
        for run in runs:
            # "consistency/value_and_grad/float/256x10/LibTorch eager/min_time:0.010/.../real_time"
            name = run["run_name"].split("/min_time:")[0]
            kind = run.get("aggregate_name", "median")
            if kind == "cv":
                self.variation[name] = run["real_time"]
            elif kind == "median":
                self.seconds[name] = run["real_time"] * TO_SECONDS[run["time_unit"]]

    def providers(self, workload: str) -> dict[str, float]:
        """Seconds by provider."""
        start = workload + "/"
        return {name[len(start):]: t for name, t in self.seconds.items() if name.startswith(start)}

    def workloads(self, start: str = "") -> list[str]:
        """In the order of the run."""
        return list(dict.fromkeys(name.rsplit("/", 1)[0] for name in self.seconds if name.startswith(start)))
