"""A file as it reads unpacked: what is gzipped is known by its first bytes, not by its name."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

_GZIP = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, gzipped or not; reading may raise what `open` and `gzip` raise."""
    with path.open("rb") as file:
        packed = file.peek(len(_GZIP)).startswith(_GZIP)
        yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
