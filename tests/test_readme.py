"""README is true: its commands exist, its files are there, its samples can be made anew."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from autoscaler.cli import parser
from autoscaler.policy.files import checked_files
from support.readme import README, ROOT, demo_blocks, refreshed

TEXT = README.read_text(encoding="utf-8")
COMMANDS = [
    re.split(r" +[#>|]", line)[0]
    for line in re.findall(r"^ {4,}(?:.*\| |\.venv/bin/)?autoscaler ([a-z].*)", TEXT, re.MULTILINE)
]


@pytest.mark.parametrize(("target", "tools"), [("demo", False), ("test", True), ("check", True)])
def test_the_demo_alone_installs_no_tools_of_developers(target, tools):
    make = ["make", "--dry-run", "--always-make", target]
    told = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "--editable ." in told
    assert ("--group dev" in told) == tools


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_is_one(command):
    assert parser().parse_args(shlex.split(command, comments=True)).command


def test_the_policy_of_the_readme_is_valid(tmp_path):
    written = re.search(r"^( +)scaleTargetRef.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    indent = written[1]
    policy = tmp_path / "policy.yaml"
    policy.write_text("\n".join(line.removeprefix(indent) for line in written[0].splitlines()))

    assert checked_files([policy]).problems == ()


def test_every_file_the_readme_links_to_is_there():
    linked = re.findall(r"\]\(([^)#:]+)\)", TEXT)

    assert "screenshot.png" in linked
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_what_the_demo_shows_in_the_readme_can_be_made_anew(tmp_path):
    blocks = demo_blocks(tmp_path, days=0.1, since="2026-11-20T07:15", until="2026-11-20T09:30")
    again = refreshed(TEXT, blocks)

    assert "scaled from" in blocks["rescales"]
    assert "HPA tuned to our cost" in blocks["table"]
    assert refreshed(again, blocks) == again


def test_the_readme_shows_what_it_says_it_shows():
    for name in ("rescales", "table", "decision", "explain"):
        shown = TEXT.split(f"<!-- demo:{name} -->")[1].split("<!-- end -->")[0]
        assert "catalog" in shown


def test_the_screenshot_is_small():
    assert Path(ROOT / "screenshot.png").stat().st_size < 200_000
