"""How is an answer of fifty thousand rows read: each row is let go before the next is made.

As Python objects all rows together take six times their text, which was the most the daemon held.
So the caller passes a function that takes the rows one after the other, as they are parsed.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Read = Callable[[Iterable[Any]], Any]
"""What is to be made of the rows of an answer; `list` keeps them as they are."""

# Within a JSON string the quotes would be escaped, so this is a key and its first row.
_FIRST_ROW = re.compile(r'"result"\s*:\s*\[\s*(?=\{)')
_AFTER_ROW = re.compile(r"\s*([],])\s*")
_scan = json.JSONDecoder().raw_decode


class _Rows:
    """The elements of a JSON array, from the place of the first one on."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self.end = first
        """Where the next row begins; behind the array, when there is none."""
        self._more = True

    def __iter__(self) -> Iterator[Any]:
        text = self._text
        while self._more:
            row, at = _scan(text, self.end)
            if text.startswith(",{", at):  # as Prometheus writes it
                self.end = at + 1
                yield row
                continue
            after = _AFTER_ROW.match(text, at)
            if after is None:
                raise ValueError(f"no row and no end at character {at}")
            self.end, self._more = after.end(), after[1] == ","
            yield row


def parsed(text: str, read: Read) -> Any:
    """Return the JSON of an answer, with what `read` makes of its rows in their place.

    A scalar is one row without labels.

    Raises
    ------
    ValueError, RecursionError
        When the text is no JSON.
    """
    first = _FIRST_ROW.search(text)
    if first is None:
        answer = json.loads(text)
        if (data := _data(answer)) is not None:
            data["result"] = read(_few(data))
        return answer
    rows = _Rows(text, first.end())
    result = read(rows)
    for _ in rows:  # rows that `read` left are parsed all the same: the whole has to be JSON
        pass
    answer = json.loads(f"{text[: first.end()]}]{text[rows.end :]}")
    data = _data(answer)
    if data is None or data["result"]:
        raise ValueError("rows that are not the result")
    data["result"] = result
    return answer


def _data(answer: Any) -> dict[str, Any] | None:
    """Return the part of an answer that holds its result, None when it has none."""
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) and isinstance(data.get("result"), list) else None


def _few(data: dict[str, Any]) -> list[Any]:
    """Return the rows of a result that has at most one."""
    if data.get("resultType") == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    return list(data["result"])
