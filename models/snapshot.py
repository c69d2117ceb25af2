"""How a restart keeps its memory: the engine's state in one file, versioned and checked.

Plain arrays (npz), never a pickle; a checksum over the content stands in front of it.
A file that is broken, of another version or of another prior is refused whole: reading the history
again is slow but right, a half-understood memory is neither.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.memory import Memory
from models.table import Table

_VERSION = 6
_MAGIC = b"forecast-engine-snapshot\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


class SnapshotError(ValueError):
    """A snapshot cannot be used; the message says why."""


def save_state(
    path: Path, table: Table, memory: Memory, *, rows_by_key: Mapping[str, int], meta: str
) -> None:
    """Write all columns, the clock, and whose row is which."""
    arrays = {f"table.{name}": table[name] for name in table}
    if memory.index is None:
        raise SnapshotError("there is nothing to save: no sample was ever seen")
    extra: dict[str, NDArray[np.generic]] = {
        "free": table.free_rows,
        "clock": np.array([memory.index, memory.end_seconds]),
        "keys": np.array(list(rows_by_key), dtype=np.str_),
        "rows": np.array(list(rows_by_key.values()), dtype=np.intp),
    }
    write_snapshot(path, arrays | extra, meta=meta)


def load_state(path: Path, table: Table, memory: Memory, *, meta: str) -> dict[str, int]:
    """Fill table and memory from a file; return whose row is which."""
    arrays = read_snapshot(path, meta=meta)
    names = {f"table.{name}" for name in table}
    if not names <= arrays.keys():
        raise SnapshotError(f"{path}: lacks {', '.join(sorted(names - arrays.keys()))}")
    columns = {name: arrays[f"table.{name}"] for name in table}
    table.restore(columns, np.asarray(arrays["free"], dtype=np.intp))
    index, memory.end_seconds = np.asarray(arrays["clock"], dtype=np.float64).tolist()
    memory.index = int(index)
    return dict(zip(arrays["keys"].tolist(), arrays["rows"].tolist(), strict=True))


def write_snapshot(path: Path, arrays: Mapping[str, NDArray[np.generic]], *, meta: str) -> None:
    """Write arrays and what they belong to; the old file stays until the new one is complete."""
    content = io.BytesIO()
    named = {f"array.{name}": array for name, array in arrays.items()}
    np.savez(
        content,
        allow_pickle=False,
        version=np.array(_VERSION),
        meta=np.array(meta),
        **named,
    )
    data = content.getbuffer()
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(_MAGIC)
        file.write(hashlib.sha256(data).digest())
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_snapshot(path: Path, *, meta: str) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a snapshot of the same version and `meta`; raise `SnapshotError`."""
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from error
    head = len(_MAGIC) + _DIGEST_BYTES
    data = memoryview(whole)[head:]
    if whole[: len(_MAGIC)] != _MAGIC:
        raise SnapshotError(f"{path}: is not a snapshot")
    if whole[len(_MAGIC) : head] != hashlib.sha256(data).digest():
        raise SnapshotError(f"{path}: is damaged: its checksum differs")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if int(arrays["version"]) != _VERSION:
            raise SnapshotError(f"{path}: is of version {int(arrays['version'])}, not {_VERSION}")
        if str(arrays["meta"]) != meta:
            raise SnapshotError(f"{path}: belongs to {arrays['meta']}, not to {meta}")
        names = (name for name in arrays.files if name.startswith("array."))
        return {name.removeprefix("array."): arrays[name] for name in names}
