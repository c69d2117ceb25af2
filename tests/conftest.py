"""Every decision line that any test writes must be what the schema says; skips say why, once."""

import gc
import json
import logging
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from autoscaler.review.fields import decision_schema

_VALIDATOR = Draft202012Validator(decision_schema())


class _Validating(logging.Handler):
    """Collects what is wrong with the lines of one test."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        decision = getattr(record, "decision_record", None)
        if decision is not None:
            line = json.loads(json.dumps(decision.as_dict(), allow_nan=False))
            self.wrong += [error.message for error in _VALIDATOR.iter_errors(line)]


@pytest.fixture(autouse=True)
def every_decision_line_is_valid():
    handler, logger = _Validating(), logging.getLogger("autoscaler.decisions")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)

    assert handler.wrong == []


@pytest.fixture(autouse=True)
def each_test_leaves_the_log_as_it_was():
    """A command sends the log to its own stdout, which ends with the test."""
    root, ours = logging.getLogger(), logging.getLogger("autoscaler")
    kept = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    ours.setLevel(kept[2])


def pytest_collection_finish():
    """Spare the garbage collector all that was imported: it took a tenth of the time of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def pytest_terminal_summary(terminalreporter):
    """Say at the end what is missing for the tests that were skipped."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, n in reasons.most_common():
        terminalreporter.write_line(f"{n} skipped: {reason}")
