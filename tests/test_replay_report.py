import json
from html import unescape
from xml.etree import ElementTree

import yaml

from autoscaler.cli import main
from autoscaler.policy.schema import WorkloadPolicy

POLICY = """\
scaleTargetRef: {name: checkout}
mode: ForecastAndScale
minReplicas: 2
maxReplicas: 50
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: "100"}}
"""


def replayed(tmp_path, *flags, value=lambda k: 500 + 300 * (k % 240 > 120)):
    (tmp_path / "p.yaml").write_text(POLICY)
    rows = [f"{1_764_547_200 + 60 * k},{value(k)}" for k in range(720)]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,value", *rows]))
    files = ["--policy", str(tmp_path / "p.yaml"), "--trace", str(tmp_path / "t.csv")]
    return main(["replay", *files, *flags])


def test_a_replay_writes_its_report_with_a_policy_that_can_be_pasted(tmp_path, capsys):
    report = tmp_path / "out.html"

    code = replayed(tmp_path, "--risk", "2%", "--report", str(report))

    html = report.read_text(encoding="utf-8")
    shown = unescape(html.split("<pre>")[1].split("</pre>")[0])
    pasted = WorkloadPolicy.model_validate(yaml.safe_load(shown))
    assert code == 0
    assert "risk" in capsys.readouterr().out
    assert (pasted.mode, pasted.forecast.risk, pasted.max_replicas) == ("ForecastOnly", 0.02, 50)
    assert "<h2>The worst hour</h2>" in html


def test_a_recording_without_any_load_has_no_cost(tmp_path, capsys):
    code = replayed(tmp_path, "--output", "json", value=lambda k: 0)

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["ours"]["cost"], told["clairvoyant"]["cost"]) == (None, None)


def test_the_picture_shows_load_band_pods_slow_ticks_and_the_frontier(tmp_path, capsys):
    picture = tmp_path / "out.svg"

    code = replayed(tmp_path, "--picture", str(picture))

    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    shown = {path.get("class") for path in root.iter("{http://www.w3.org/2000/svg}path")}
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert code == 0
    assert shown >= {"load", "band", "ready", "desired", "hpa", "slow", "hpa-slow", "frontier"}
    assert texts >= {"Replay of t.csv", "Around our worst hour", "Cost against slow time"}


def test_a_picture_that_is_no_svg_is_refused_with_the_name_it_should_have(tmp_path, capsys):
    code = replayed(tmp_path, "--picture", str(tmp_path / "out.png"))

    assert code == 2
    assert "name it out.svg" in capsys.readouterr().err
