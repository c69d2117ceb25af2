"""`autoscaler doctor` without a cluster: whose policy a file is taken for, how it is printed."""

import json
import sys

import pytest

from autoscaler.cli import main

# Nobody listens there, which is found out at once.
NOBODY = ("--prometheus-url", "http://127.0.0.1:1")


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(
        "scaleTargetRef: {name: checkout}\nmaxReplicas: 9\n"
        "metrics: [{type: RequestRate, requestRate: {source: linkerd}}]\n"
    )
    return str(file)


@pytest.mark.parametrize(
    ("flags", "target"), [((), "default/checkout"), (("--namespace", "shop"), "shop/checkout")]
)
def test_a_file_that_names_no_namespace_is_of_the_one_that_is_looked_at(
    file, capsys, flags, target
):
    assert main(["doctor", file, *NOBODY, *flags, "--output", "json"]) == 1
    assert [report["target"] for report in json.loads(capsys.readouterr().out)] == [target]


@pytest.mark.parametrize(("refused", "coloured"), [("", True), ("1", False)])
def test_who_wants_no_colour_gets_none(file, capsys, monkeypatch, refused, coloured):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", refused)
    main(["doctor", file, *NOBODY])

    assert ("\033[31mFAIL" in capsys.readouterr().out) is coloured
