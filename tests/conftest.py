"""Every decision line that any test writes must be what the schema says."""

import json
import logging

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
