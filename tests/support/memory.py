"""Peak memory of a piece of code, measured in a process of its own."""

import os
import subprocess
import sys

# Freed memory goes back to the system at once, and pages have 4 KiB. Peaks differ by less than 0.5 MB between runs with
# these settings. Without them they differ by several MB, because they depend on the settings of the kernel.
ALLOCATION = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "NUMPY_MADVISE_HUGEPAGE": "0",
}
NO_HUGE_PAGES = "import ctypes\nctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE"
PRINT_PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def peak_mb(code: str) -> float:
    """Peak resident memory in MB of a fresh Python that runs ``code``, libraries included."""
    # Not getrusage: Linux carries its peak over fork and exec, so a large parent hides the child.
    measured = "\n".join([NO_HUGE_PAGES, code, PRINT_PEAK])
    environment = os.environ | ALLOCATION | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", measured], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return int(run.stdout.splitlines()[-1]) / 1024
