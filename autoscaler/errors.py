"""What can go wrong, split by what the caller should do about it.

Adapters translate foreign errors into these at once (`raise ... from error`), with the object,
the status and the reason in the message.
Any of them means *hold* for one workload; none of them may lower a replica count.
"""


class AutoscalerError(Exception):
    """The base of every error this project raises on purpose."""


class PolicyError(AutoscalerError):
    """A policy is wrong: the message names source, field path, value and what is allowed."""


class MetricUnavailableError(AutoscalerError):
    """A metrics source gave no trustworthy answer: the load is unknown, which is not zero."""


class ScaleRefusedError(AutoscalerError):
    """The API server refused to read or write a scale: hold, report once per cycle, go on."""


class ScaleConflictError(ScaleRefusedError):
    """Somebody else wrote the object since it was read: re-read it and decide again."""


class ScaleUnansweredError(ScaleRefusedError):
    """Whether a write arrived is not known: what the object says next tells."""


class TraceError(AutoscalerError):
    """A recorded load cannot be replayed: the message names file, line and value."""


class MemoryFileError(AutoscalerError):
    """What an earlier process left cannot be used: we begin as if it had left nothing."""


class LogError(AutoscalerError):
    """A decision log cannot be read, or does not hold what was asked for."""


class FlagError(AutoscalerError):
    """A flag says what cannot be, which only the command itself could tell."""


def why_not(error: Exception) -> str:
    """Return why a file cannot be read or written, in words, without the name said beside it."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text (byte 0x{error.object[error.start]:02x} at {error.start})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
