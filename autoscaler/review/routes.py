"""What a path answers: a value in, a value out; sockets are `server.py`'s business."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What a path answers with; a body that is an iterable is sent piece by piece.

    `tag` names this very content: whoever has it already is told so instead.
    """

    body: bytes | Iterable[bytes]
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    tag: str = ""


Routes = Mapping[str, Callable[[Query], Response]]


def json_response(value: object) -> Response:
    """Return a value as JSON, tagged by its content."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Response(body, "application/json", tag=content_tag(body))


def content_tag(body: bytes) -> str:
    """Return the entity tag of a body."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def whole_number(query: Query, name: str, default: int, *, most: int) -> int:
    """Return a parameter as a count from 0 to `most`; raise ValueError, which becomes a 400."""
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ValueError(f"{name} is not a whole number")
    return min(int(text), most)
