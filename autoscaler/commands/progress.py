"""How far is it: one progress bar on a terminal's error stream, silence everywhere else.

What prints lines while it works, on the same terminal, shows by them how far it is: a bar would
stand in front of every one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(
    description: str, *, prints_lines: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Yield `advance(done, total)`; the bar is gone when the work is.

    Parameters
    ----------
    prints_lines
        Whether lines are printed to standard output meanwhile.
    """
    console = Console(stderr=True)
    seen = console.is_terminal and not (prints_lines and sys.stdout.isatty())
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not seen,
        transient=True,
    ) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
