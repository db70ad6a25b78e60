"""Peak memory of this process."""

import re
from pathlib import Path


def peak_mb() -> float:
    """Peak resident memory so far in MB; getrusage would count that of the parent process too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e6
