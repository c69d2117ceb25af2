"""ARCHITECTURE.md is the map: what it names is there, and what is there it names."""

import ast
import re
from pathlib import Path

import pytest

from autoscaler.review.latest import LatestRecords
from autoscaler.review.page import page_routes

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "ARCHITECTURE.md").read_text()


def first_and_last_cells(title):
    """Return the first and the last cell of each row of the table under a heading."""
    section = MAP.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [(row[0], row[-1]) for row in rows[2:]]


def places():
    """One `pytest.param` per function that a rule is said to stand in."""
    found = []
    for rule, where in first_and_last_cells("Where a rule stands"):
        file = ""
        for name in re.findall(r"`([^`]+)`", where if where != rule else ""):
            if name.endswith(".py"):
                file = name
            else:
                found.append(pytest.param(file, name, id=f"{rule}: {name}"))
    return found


def defined_in(file):
    path = ROOT / file if file.startswith("models/") else ROOT / "autoscaler" / file
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return names | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


@pytest.mark.parametrize(("file", "name"), places())
def test_a_rule_stands_where_the_map_says(file, name):
    assert name in defined_in(file)


def test_every_module_has_a_room_and_every_room_is_there():
    rooms = {where.strip("`") for where, _ in first_and_last_cells("The rooms")}
    modules = {f"autoscaler/{path.name}" for path in (ROOT / "autoscaler").glob("[!_]*.py")}
    packages = {f"autoscaler/{path.parent.name}/" for path in ROOT.glob("autoscaler/*/__init__.py")}

    assert rooms == modules | packages | {"models/", "tests/", "deploy/", "notebooks/"}


def test_every_module_of_the_page_has_its_sentence_and_is_served():
    told = {where.strip("`") for where, _ in first_and_last_cells("The page")}
    modules = {path.name for path in ROOT.glob("autoscaler/review/static/*.js")}
    served = {path.strip("/") for path in page_routes(LatestRecords()) if path.endswith(".js")}

    assert told == modules == served
