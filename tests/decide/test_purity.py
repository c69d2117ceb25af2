"""`decide/` reads as rules: no clock, no chance, no environment, and nothing too long to read."""

import ast
from pathlib import Path

import pytest

import autoscaler.decide

MODULES = sorted(Path(autoscaler.decide.__path__[0]).glob("*.py"))
LONGEST = 40
# Whoever calls one of these asks the world rather than its arguments.
IMPURE = {"now", "today", "utcnow", "time", "monotonic", "open", "print", "input", "getenv"}
# What a rule may know beside numbers, instants and the policy.
ALLOWED = {
    "math",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "itertools",
    "functools",
    "typing",
}


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.stem)
def test_no_function_is_longer_than_a_screen(module):
    lengths = {
        f.name: f.end_lineno - f.lineno + 1 for f in functions(ast.parse(module.read_text()))
    }

    assert [name for name, length in lengths.items() if length > LONGEST] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.stem)
def test_a_rule_asks_nobody(module):
    tree = ast.parse(module.read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert called & IMPURE == set()
    assert imported <= ALLOWED | {"autoscaler"}
    assert not any(isinstance(node, ast.Global | ast.Nonlocal) for node in ast.walk(tree))
