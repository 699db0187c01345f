"""Files with damage in them, as disks, wires and enemies do it: for readers, which refuse them or read what is left."""

import resource
from collections.abc import Callable
from random import Random

from tests.engine.data.pictures import with_checksums

MOST_MEMORY = 512 << 10  # kilobytes that reading damaged files may add


def damaged(content: bytes, random: Random) -> bytes:
    """The file with bytes changed, left out, repeated or cut off; a PNG's checksums fit again, half of the time."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 5)):
        place = random.randrange(min(max(len(changed), 1), random.choice((64, 400, 100_000))))
        if random.random() < 0.3:  # where archives keep their directories
            place = max(len(changed) - 1 - place, 0)
        match random.randrange(8):
            case 0:
                del changed[place : place + random.randint(1, 16)]
            case 1:
                changed[place:place] = changed[max(place - 16, 0) : place]
            case 2:
                changed[place : place + 4] = random.choice((bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f"))
            case 3:
                del changed[place + 8 :]
            case _:
                changed[place : place + 1] = random.choice((b"\0", b"\1", b"\x7f", b"\xff", random.randbytes(1)))
    return with_checksums(bytes(changed)) if random.random() < 0.5 else bytes(changed)


def read_of(files: list[bytes], reads: Callable[[bytes], bool], times: int) -> int:
    """How many of so many damaged files can be read; fails where reading them takes more and more memory."""
    random = Random(1)  # noqa: S311
    assert all(map(reads, files))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = sum(reads(damaged(random.choice(files), random)) for _ in range(times))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY
    return read
