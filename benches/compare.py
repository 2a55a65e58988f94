#!/usr/bin/env python3
"""Holds `nsm analyze` against other readers of captures: wall time, CPU time and peak memory.

    cargo build --release --bins --examples
    python3 benches/compare.py [--runs N] [--scale N] [--slow] [--only NAME] [--keep DIR] [--target DIR]

Makes the captures of examples/bench-captures in a temporary directory, reads each with every program that is
installed, in turn, and prints the median of the runs as a Markdown table. Ratios are to the wall time of
capinfos, which does no more than walk the records. Needs a Unix and the standard library only.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ["S", "M", "answered-syn-flood", "random-ports", "random-hosts", "spoofed-udp"]
BASELINE = "capinfos"


def main():
    arguments = parsed()
    release = Path(arguments.target) / "release"
    nsm, maker = release / "nsm", release / "examples" / "bench-captures"
    for program in (nsm, maker):
        if not program.exists():
            sys.exit(f"{program} is missing: cargo build --release --bins --examples")
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(arguments.keep or scratch)
        print(f"{machine()}; median of {arguments.runs} runs, files in the page cache\n")
        print("| capture | program | wall s | CPU s | peak MB | wall / capinfos |")
        print("|---|---|---:|---:|---:|---:|")
        for name in [arguments.only] if arguments.only else CAPTURES:
            capture = directory / f"{name}.pcap"
            make(maker, directory, name, capture, arguments.scale)
            for row in measured(commands(nsm, capture, Path(scratch), arguments.slow), capture, arguments.runs):
                print(f"| {name} | " + " | ".join(row) + " |", flush=True)
            if not arguments.keep:
                capture.unlink()


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each program (default 3)")
    parser.add_argument("--scale", type=int, default=1, help="how many times as long S and M become")
    parser.add_argument("--slow", action="store_true", help="tshark too, which takes minutes")
    parser.add_argument("--only", choices=CAPTURES, help="this capture only")
    parser.add_argument("--keep", metavar="DIR", help="make the captures there and keep them; those that exist are used")
    parser.add_argument("--target", default=os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), help="where cargo builds")
    return parser.parse_args()


def machine():
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}"


def make(maker, directory, name, capture, scale):
    if not capture.exists():
        subprocess.run([maker, directory, "--scale", str(scale), "--only", name], check=True)


def commands(nsm, capture, scratch, slow):
    """The programs by name. Each reads the whole capture; what it writes is thrown away."""
    reports, flows = scratch / "reports", scratch / "flows"
    flows.mkdir(exist_ok=True)
    analyze = [nsm, "analyze", capture, "--hash", "none", "--format", "csv,json", "--force", "--quiet", "-o", reports]
    rivals = {
        "nsm": analyze,
        "nsm -j 1": [*analyze, "-j", "1"],
        "capinfos": ["capinfos", "-c", capture],
        "tcpdump": ["tcpdump", "-n", "-r", capture, "-w", os.devnull],
        "nfpcapd": ["nfpcapd", "-r", capture, "-l", flows],
    }
    if slow:
        rivals["tshark"] = ["tshark", "-n", "-q", "-r", capture, "-z", "conv,tcp", "-z", "conv,udp"]
    return {name: command for name, command in rivals.items() if shutil.which(str(command[0]))}


def measured(programs, capture, runs):
    """A row of the table for every program. Programs take turns, so that a slow moment meets them all."""
    into_page_cache(capture)
    results = {name: [] for name in programs}
    for _ in range(runs):
        for name, command in programs.items():
            results[name].append(run(command))
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    baseline = medians.get(BASELINE, [None])[0]
    for name, (wall, cpu, peak) in medians.items():
        ratio = f"{wall / baseline:.2f}" if baseline else ""
        yield name, f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}", ratio


def into_page_cache(path):
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def run(command):
    """Wall seconds, CPU seconds and peak resident megabytes of one run."""
    started = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"exit code {child.returncode}: {' '.join(map(str, command))}")
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return wall, usage.ru_utime + usage.ru_stime, peak


if __name__ == "__main__":
    main()
