"""What the kernel says of processes that it has ended because memory ran out."""

from pathlib import Path

COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))
"""Of the container, or where there is none of the machine; each has lines such as `oom_kill 3`."""


def oom_kills(counters: tuple[Path, ...] = COUNTERS) -> int:
    """How many processes the kernel has ended so far for want of memory; 0 where it does not say."""
    for path in counters:
        if path.exists():
            lines = (line.split() for line in path.read_text().splitlines())
            return sum(int(words[1]) for words in lines if words[0] == "oom_kill")
    return 0
