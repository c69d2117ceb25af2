"""How a command line is read: a help that fits narrow terminals, a complaint that fits one line."""

import argparse
import textwrap
from collections.abc import Iterable
from typing import Any, NoReturn

EXIT_CODES = "Exit codes: 0 done, 1 failed and said why, 2 wrong input, 130 interrupted."

# `[AUTOSCALER_PROMETHEUS_HISTORY_MATCHERS]` in a help is not broken.
_LONGEST_WORD = 42


class HelpFormatter(argparse.HelpFormatter):
    """Fits 60 columns and more: no word is broken, the usage leaves the flags to their list."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **options)
        self._max_help_position = max(4, min(self._max_help_position, self._width - _LONGEST_WORD))

    def add_argument(self, action: argparse.Action) -> None:
        """Add it; argparse forgets that commands are indented when it measures their names."""
        super().add_argument(action)
        for command in self._iter_indented_subactions(action):
            length = len(self._format_action_invocation(command)) + self._current_indent
            self._action_max_length = max(self._action_max_length, length)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fill each line of its own; one that is indented is a command, which can be pasted."""
        return "\n".join(self._filled(line, width) for line in text.splitlines())

    @staticmethod
    def _filled(line: str, width: int) -> str:
        goes_on, indent = (" \\", " " * 6) if line.startswith(" ") else ("", "")
        room = width - len(goes_on)
        parts = textwrap.wrap(line, room, subsequent_indent=indent, break_on_hyphens=False)
        return f"{goes_on}\n".join(parts)

    def _format_usage(
        self, usage: Any, actions: Iterable[argparse.Action], groups: Any, prefix: Any
    ) -> str:
        needed = [each for each in actions if each.required or not each.option_strings]
        told = super()._format_usage(usage, needed, [], prefix)
        of_subcommand = prefix is not None  # becomes the beginning of its own usage
        return told if of_subcommand else told.replace(self._prog, f"{self._prog} [OPTION ...]", 1)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return action.dest.rpartition("_")[2].upper()


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line; the usage is for `--help`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": HelpFormatter, "epilog": EXIT_CODES, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all there is; what a command does not know is told with its own help."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")
