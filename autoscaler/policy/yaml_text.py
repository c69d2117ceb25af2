"""How is YAML read safely: bounded before it is built, no key twice, no type by surprise.

Whoever may write a ConfigMap may write a bomb into it, and the daemon reads everybody's.
So one pass over the parser's events counts depth and nodes, aliases at what they expand to, and
only a document within bounds is built.

Scalars follow the YAML 1.2 core schema: `22:00` is text and not 1320 minutes, `no` is text, and an
unquoted date stays the text the user wrote.
Deliberately absent: tags (`!!python/...` and every other), because no policy needs one.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from autoscaler.errors import PolicyError

# A ConfigMap holds at most 1 MiB over all its keys; a policy is a few KiB.
MOST_CHARACTERS = 256 * 1024
# The deepest path of the schema has 8 steps; nesting beyond this is no policy.
DEEPEST = 32
# A policy with 16 metrics and 100 schedule entries has about 2,000 nodes.
MOST_NODES = 20_000

_INTEGER = re.compile(r"[-+]?[0-9]{1,40}\Z")
# Two digits of an exponent: a number that no float holds stays the text that a complaint can show.
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}\.[0-9]{0,40}|[0-9]{1,40}(?=[eE]))(?:[eE][-+]?[0-9]{1,2})?\Z"
)
# A tab that indents, or a space of another alphabet anywhere.
_LOOKS_LIKE_SPACE = re.compile(r"(?m)(?:^ *(?=\t)|(?=[\u00a0\u2000-\u200b\u202f\u3000]))(.)")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")


def documents(text: str, *, times_a_policy: int = 1) -> list[Any]:
    """Return every YAML document of `text` that is not empty, as plain values.

    Parameters
    ----------
    times_a_policy
        How many times the bounds of one policy may be used up, where many objects are in a text.

    Raises
    ------
    PolicyError
        Naming line and column, when the text is not YAML or beyond the bounds.
    """
    longest = times_a_policy * MOST_CHARACTERS
    if len(text) > longest:
        raise PolicyError(f"{len(text)} characters: at most {longest} are read")
    try:
        _check_bounds(yaml.parse(text, Loader=yaml.CSafeLoader), times_a_policy * MOST_NODES)
        built = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise PolicyError(_yaml_complaint(error, text)) from error
    except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON can spell it
        raise PolicyError(f"character {error.start + 1} is no Unicode character") from error
    except RecursionError as error:
        raise PolicyError(f"nested deeper than {DEEPEST} levels") from error
    return [document for document in built if document is not None]


def _check_bounds(events: Iterator[yaml.Event], most_nodes: int) -> None:
    """Refuse what is nested too deep or expands to too much, before anything is built."""
    n_nodes = 0
    open_collections: list[tuple[str | None, int]] = []
    size_of: dict[str, int] = {}
    for event in events:
        _refuse_tag(event)
        if isinstance(event, yaml.CollectionStartEvent):
            open_collections.append((event.anchor, n_nodes))
            n_nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_collections.pop()
            if anchor is not None:
                size_of[anchor] = n_nodes - before
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_collections):
                raise PolicyError(f"{_at(event.start_mark)}: *{event.anchor} contains itself")
            n_nodes += size_of.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            n_nodes += 1
        if len(open_collections) > DEEPEST:
            raise PolicyError(f"{_at(event.start_mark)}: nested deeper than {DEEPEST} levels")
        if n_nodes > most_nodes:
            raise PolicyError(f"{_at(event.start_mark)}: expands to over {most_nodes} values")


def _refuse_tag(event: yaml.Event) -> None:
    """Refuse a tag: `!!int ten` and its kind crash the constructors instead of complaining."""
    tag = getattr(event, "tag", None)
    if tag is not None and tag != "!":  # a lone `!` only says that a scalar is text
        raise PolicyError(f"{_at(event.start_mark)}: tag {tag!r}: a policy has no tags")


def _at(mark: Any) -> str:
    return "somewhere" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


def _yaml_complaint(error: yaml.YAMLError, text: str) -> str:
    """Return what is wrong on one line, with line and column when the parser knows them."""
    if isinstance(error, ReaderError):  # it knows the byte
        line = text.encode()[: error.position].count(b"\n") + 1
        return f"line {line}: U+{error.character:04X} is a character that YAML does not allow"
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{_at(mark)}: {problem}{_no_space(text)}" if mark else f"not YAML: {problem}"


def _no_space(text: str) -> str:
    """Return which character looks like a space and is none to YAML, the usual culprit, if any."""
    found = _LOOKS_LIKE_SPACE.search(text)
    if found is None:
        return ""
    name = "a tab" if found[1] == "\t" else f"U+{ord(found[1]):04X}"
    return f"; line {text.count(chr(10), 0, found.start(1)) + 1} has {name} instead of a space"


class _Loader(yaml.CSafeLoader):
    """Builds plain values; a key that stands twice is an error, not the last one's victory."""

    yaml_implicit_resolvers = {}  # YAML 1.1's guesses are left behind

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are distinct text."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = getattr(key_node, "value", None)
            if not isinstance(key, str):
                raise ConstructorError(None, None, "a key must be text", key_node.start_mark)
            if key in seen:
                raise ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        built = super().construct_mapping(node, deep=deep)
        return {str(key): value for key, value in built.items()}


for _tag, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INTEGER, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", re.compile(r"<<\Z"), ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, _first)


def _decimal(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int:
    """Read `010` as ten, as YAML 1.2 and people do, not as eight."""
    return int(str(loader.construct_scalar(node)))


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)
