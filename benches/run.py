"""All benches, one after the other: `make bench`, or `python benches/run.py --quick`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    failed = []
    for bench in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"\n== {bench.stem.removeprefix('bench_')}", flush=True)
        if subprocess.run([sys.executable, bench, *sys.argv[1:]], check=False).returncode:
            failed.append(bench.name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
