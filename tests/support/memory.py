"""Peak memory of a piece of code, measured in a process of its own."""

import os
import subprocess
import sys


def peak_mb(code: str) -> float:
    """Peak resident memory in MB of a fresh Python that runs ``code``, libraries included."""
    # Not getrusage: Linux carries its peak over fork and exec, so a large parent hides the child.
    measured = f"{code}\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", measured], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return int(run.stdout.splitlines()[-1]) / 1024
