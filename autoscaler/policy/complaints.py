"""What is wrong with a policy, said so that its author can fix it without asking anybody.

pydantic knows every error and where it is; here each becomes one line of field path as written,
the value, and what is allowed.
"""

import difflib
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autoscaler.policy.base import Section
from autoscaler.policy.schema import WorkloadPolicy

# Long enough to recognize what was written, short enough for one line of log.
_LONGEST_VALUE = 80
# A document of one KiB can hold ten thousand mistakes by its aliases, and each is kept as long as
# it stands; nobody mends more than these at once.
_MOST_TOLD = 20
_LONGEST_COMPLAINT = 500

# What is wanted, by pydantic's name of the error, in the words of YAML and not of Python.
_WANTED = {
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing_size": "is not a whole number that long",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "has over {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "has over {max_length} entries",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}


def complaints(error: ValidationError) -> list[str]:
    """Return one line per error, in the order of the schema; the first ones of very many."""
    found = error.errors(include_url=False)
    own = [details for details in found if not _follows_from_another(details, found)]
    told = [_cut(_complaint(details), _LONGEST_COMPLAINT) for details in own[:_MOST_TOLD]]
    n_more = len(own) - len(told)
    return [*told, f"{n_more} more mistakes"] if n_more else told


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _follows_from_another(details: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """Whether a list is "too short" only because its items are wrong, which is said already."""
    depth = len(details["loc"])
    return details["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == details["loc"] for other in found
    )


_YAML_WORDS = {None: "null", True: "true", False: "false"}


def field_path(location: Sequence[str | int]) -> str:
    """Return a location as users write it: `metrics[0].requestRate.target`."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{printable(step)}"
    return path.removeprefix(".")


def printable(name: str) -> str:
    """Return a name or key on one line, for whoever reviews what somebody else wrote."""
    return name if name.isprintable() else repr(name)[1:-1]


def shown(value: Any) -> str:
    """Return a value on one line, cut to what identifies it."""
    text = _YAML_WORDS[value] if value is None or isinstance(value, bool) else repr(value)
    return _cut(text, _LONGEST_VALUE)


def _complaint(details: ErrorDetails) -> str:
    location = details["loc"]
    path = field_path(location)
    if details["type"] == "extra_forbidden":
        return f"{path}: no such field; {_allowed_beside(location)}"
    if details["type"] == "missing":
        return f"{path}: is required"
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error":  # ours: it holds the value
        return f"{path}: {message}" if path else message
    wanted = _WANTED.get(details["type"], message[0].lower() + message[1:])
    return f"{path}: {shown(details['input'])} {wanted.format(**details.get('ctx', {}))}"


def _allowed_beside(location: Sequence[str | int]) -> str:
    """Return which fields stand where an unknown one was found, the likeliest first."""
    *parents, wrong = location
    fields = _fields_at(parents)
    alike = difflib.get_close_matches(str(wrong), fields, n=1) or _below(location)
    guess = f"did you mean {alike[0]}? " if alike else ""
    return f"{foreign_characters(str(wrong))}{guess}allowed: {', '.join(fields)}"


def _below(location: Sequence[str | int]) -> list[str]:
    """Return where among the sections beside it a field of this name stands: `forecast.risk`."""
    *parents, name = location
    sections = _fields_at(parents)
    return [f"{beside}.{name}" for beside in sections if name in _fields_at([*parents, beside])]


def foreign_characters(name: str) -> str:
    """Return which characters of a name only look as if they were of the alphabet, if any."""
    foreign = ", ".join(f"U+{ord(c):04X}" for c in name if not c.isascii())
    return f"it is written with {foreign}; " if foreign else ""


def _fields_at(location: Sequence[str | int]) -> list[str]:
    section: type[Section] | None = WorkloadPolicy
    for step in location:
        if section is None or isinstance(step, int):
            continue
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        section = _section_in(fields[step].annotation) if step in fields else None
    if section is None:
        return []
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_in(annotation: Any) -> type[Section] | None:
    """Return the section a field's type holds, be it optional or in a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in {Union, types.UnionType, tuple, Annotated}:
        found = (_section_in(argument) for argument in get_args(annotation))
        return next((section for section in found if section is not None), None)
    return None
