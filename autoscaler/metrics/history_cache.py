"""What of the past was read already: pieces of history on disk, so that a restart goes on.

One file per question and end of a piece, named by a hash of both; arrays only, never pickles.
A piece begins where the range began that it was read for, so the same piece of a later range, which
begins later, is the end of what was kept.
A cache that cannot be written or read is a slower start, never an error.
"""

import hashlib
import logging
from datetime import timedelta
from pathlib import Path

import numpy as np

from autoscaler.metrics.grid import FloatArray, Grid

logger = logging.getLogger(__name__)

# A fortnight is read back; what is older is never asked for again.
_KEPT_FOR = timedelta(days=15)


class HistoryCache:
    """A folder of pieces; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def kept(self, query: str, grid: Grid) -> FloatArray | None:
        """Return a piece that was read before, or None."""
        if self._folder is None:
            return None
        try:
            piece = np.load(self._file(query, grid), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None  # never kept, or cut by a kill while it was written
        if piece.ndim != 2 or piece.shape[1] < grid.n_samples:
            return None
        return np.asarray(piece[:, piece.shape[1] - grid.n_samples :], dtype=np.float64)

    def keep(self, query: str, grid: Grid, load: FloatArray) -> None:
        """Keep a piece; float32 holds seven digits, more than any load has."""
        if self._folder is None:
            return
        file = self._file(query, grid)
        unfinished = file.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as opened:
                np.save(opened, load.astype(np.float32), allow_pickle=False)
            unfinished.replace(file)
        except OSError as error:
            logger.warning("history_not_kept", extra={"fields": {"error": str(error)}})

    def forget_old(self, *, now: float) -> None:
        """Remove pieces that nobody will ask for again; `now` in unix seconds."""
        if self._folder is None or not self._folder.is_dir():
            return
        for file in (*self._folder.glob("*.npy"), *self._folder.glob("*.part")):
            try:
                if now - file.stat().st_mtime > _KEPT_FOR.total_seconds():
                    file.unlink()
            except OSError:
                continue  # somebody else removed it

    def _file(self, query: str, grid: Grid) -> Path:
        what = f"{query}\n{grid.last.timestamp():.3f} {grid.step}"
        folder = self._folder or Path()
        return folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.npy"
