"""Runs the programs of ./run-bench: each prints lines `NAME VALUE UNIT` on standard output."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Benchmarks in the lab, which needs root: what their results' names begin with, and the program.
IN_THE_LAB = {
    "port.tcp_ratio": ["bench_tcp.py"],
    "replication.busy": ["bench_busy.py"],
    "replication.commit_latency_us": ["bench_commit_latency.py"],
    "replication.takeover_1m_ms": ["bench_takeover.py", "--sessions", "1000000"],
    "replication.takeover_ms": ["bench_takeover.py"],
}


def programs(names):
    """Commands that may measure something of `names` (all, if there are none). Names are handed on to them."""
    for program in sorted((ROOT / "build" / "release" / "bin").glob("icr_*_bench")):
        yield [str(program), *names]
    as_root = [] if os.geteuid() == 0 else ["sudo", "--"]
    for prefix, (program, *arguments) in IN_THE_LAB.items():
        if not names or any(prefix.startswith(name) or name.startswith(prefix) for name in names):
            yield [*as_root, sys.executable, str(ROOT / "lab" / program), *arguments]


def main(names):
    results, failed = [], []
    for command in programs(names):
        print("== " + os.path.basename(next((word for word in command if word.endswith(".py")), command[0])), flush=True)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                words = line.split()
                if len(words) != 3:
                    print(line, end="")
                    continue
                name, value, unit = words
                if not names or any(name.startswith(wanted) for wanted in names):
                    results.append({"name": name, "value": float(value), "unit": unit})
                    print(f"   {name} {value} {unit}", flush=True)
        if child.returncode != 0:
            failed.append(" ".join(command))
    with open(ROOT / "bench.json", "w", encoding="ascii") as out:
        json.dump(results, out, indent=1)
        out.write("\n")
    width = max((len(entry["name"]) for entry in results), default=0)
    print()
    for entry in results:
        print(f"{entry['name']:{width}}  {entry['value']:14,.6g}  {entry['unit']}")
    for command in failed:
        print(f"FAILED: {command}")
    if not results:
        print(f"no benchmark is called {' or '.join(names)}")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
