"""Renders the part of Go's template language that our chart uses; Helm itself cannot be had here.

Actions: if/else/end, with, define, include, pipes, comments, trimming; functions: toYaml, nindent,
quote, default, printf, and, or, not, .Files.Get.
Anything else raises, so the chart cannot outgrow this unnoticed; where `helm` is on PATH, a test
compares both.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_ACTION = re.compile(r"(?:[ \t\n]*\{\{-|\{\{)(.*?)(?:-\}\}[ \t\n]*|\}\})", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\(|\)|\||[^\s()|]+')


@dataclass
class Block:
    """A piece of a template: text, an action, or a control block with two branches."""

    kind: str
    text: str = ""
    body: list["Block"] = field(default_factory=list)
    otherwise: list["Block"] = field(default_factory=list)


class Chart:
    """A chart on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.defaults: dict[str, Any] = yaml.safe_load((folder / "values.yaml").read_text())
        self._about = yaml.safe_load((folder / "Chart.yaml").read_text())
        self._defined: dict[str, list[Block]] = {}
        for helper in sorted((folder / "templates").glob("*.tpl")):
            self._define(parsed(helper.read_text()))

    def rendered(self, values: Mapping[str, Any], *, name: str, namespace: str) -> str:
        """Return what `helm template` prints: every manifest, one YAML stream."""
        root = {
            "Values": merged(self.defaults, values),
            "Release": {"Name": name, "Namespace": namespace, "Service": "Helm"},
            "Chart": {"AppVersion": self._about["appVersion"], "Name": self._about["name"]},
        }
        files = sorted((self.folder / "templates").glob("*.yaml"))
        texts = (self._text(parsed(file.read_text()), root) for file in files)
        return "".join(f"---\n{text.strip()}\n" for text in texts if text.strip())

    def notes(self, values: Mapping[str, Any], *, name: str, namespace: str) -> str:
        """Return what is printed after an installation."""
        root = {
            "Values": merged(self.defaults, values),
            "Release": {"Name": name, "Namespace": namespace, "Service": "Helm"},
            "Chart": {"AppVersion": self._about["appVersion"]},
        }
        text = (self.folder / "templates" / "NOTES.txt").read_text()
        return self._text(parsed(text), root)

    def _define(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.kind == "define":
                self._defined[json.loads(block.text)] = block.body

    def _text(self, blocks: list[Block], dot: Any) -> str:
        return "".join(self._block(block, dot) for block in blocks)

    def _block(self, block: Block, dot: Any) -> str:
        if block.kind == "text":
            return block.text
        if block.kind == "define":
            return ""
        value = self._value(block.text, dot)
        if block.kind == "if":
            return self._text(block.body if value else block.otherwise, dot)
        if block.kind == "with":
            return self._text(block.body, value) if value else self._text(block.otherwise, dot)
        return "" if value is None else _printed(value)

    def _value(self, expression: str, dot: Any) -> Any:
        return self._pipeline(_TOKEN.findall(expression), dot)

    def _pipeline(self, tokens: list[str], dot: Any) -> Any:
        stages: list[list[str]] = [[]]
        depth = 0
        for token in tokens:
            depth += {"(": 1, ")": -1}.get(token, 0)
            if token == "|" and depth == 0:
                stages.append([])
            else:
                stages[-1].append(token)
        value = self._call(stages[0], dot)
        for stage in stages[1:]:
            value = self._call(stage, dot, value)
        return value

    def _call(self, tokens: list[str], dot: Any, *piped: Any) -> Any:
        terms = list(self._terms(tokens, dot))
        head = terms[0]
        if isinstance(head, _Function):
            return self._apply(head.name, [*terms[1:], *piped])
        if len(terms) > 1 or piped:
            raise ValueError(f"not a function: {' '.join(tokens)}")
        return head

    def _terms(self, tokens: list[str], dot: Any) -> Any:
        position = 0
        while position < len(tokens):
            token = tokens[position]
            if token == "(":
                end = _closing(tokens, position)
                yield self._pipeline(tokens[position + 1 : end], dot)
                position = end
            else:
                yield _term(token, dot)
            position += 1

    def _apply(self, name: str, given: list[Any]) -> Any:
        if name == "include":
            return self._text(self._defined[given[0]], given[1])
        if name == ".Files.Get":
            return (self.folder / given[0]).read_text()
        return _FUNCTIONS[name](*given)


@dataclass
class _Function:
    name: str


_FUNCTIONS: dict[str, Any] = {
    "toYaml": lambda value: yaml.safe_dump(value, default_flow_style=False).rstrip("\n"),
    "nindent": lambda n, text: "\n" + "\n".join(" " * n + line for line in text.splitlines()),
    "quote": lambda value: json.dumps(_printed(value)),
    "default": lambda fallback, value: value or fallback,
    "printf": lambda form, *values: form % values,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": lambda value: not value,
    "include": None,
    ".Files.Get": None,
}


def parsed(text: str) -> list[Block]:
    """Return the blocks of a template."""
    top: list[Block] = []
    open_blocks: list[Block] = []
    into, position = top, 0
    for match in _ACTION.finditer(text):
        into.append(Block("text", text[position : match.start()]))
        position = match.end()
        word, _, rest = match[1].strip().partition(" ")
        if word.startswith("/*"):
            continue
        if word in ("if", "with", "define"):
            open_blocks.append(Block(word, rest.strip()))
            into.append(open_blocks[-1])
            into = open_blocks[-1].body
        elif word == "else":
            into = open_blocks[-1].otherwise
        elif word == "end":
            open_blocks.pop()
            into = _innermost(open_blocks, top)
        else:
            into.append(Block("action", match[1].strip()))
    into.append(Block("text", text[position:]))
    if open_blocks:
        raise ValueError(f"not ended: {open_blocks[-1].kind} {open_blocks[-1].text}")
    return top


def merged(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with values laid over them, mapping by mapping."""
    result = dict(defaults)
    for key, value in values.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value
    return result


def _innermost(open_blocks: list[Block], top: list[Block]) -> list[Block]:
    if not open_blocks:
        return top
    block = open_blocks[-1]
    return block.otherwise or block.body


def _closing(tokens: list[str], start: int) -> int:
    depth = 0
    for position in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position], 0)
        if depth == 0:
            return position
    raise ValueError(f"not closed: {' '.join(tokens)}")


def _term(token: str, dot: Any) -> Any:
    if token.startswith('"'):
        return json.loads(token)
    if token.isdigit():
        return int(token)
    if token in _FUNCTIONS:
        return _Function(token)
    if not token.startswith("."):
        raise ValueError(f"unknown: {token}")
    value = dot
    for part in token.strip(".").split("."):
        value = value[part] if part else value
    return value


def _printed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
