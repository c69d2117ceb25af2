from html import unescape

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


def test_a_replay_writes_its_report_with_a_policy_that_can_be_pasted(tmp_path, capsys):
    (tmp_path / "p.yaml").write_text(POLICY)
    rows = [f"{1_764_547_200 + 60 * k},{500 + 300 * (k % 240 > 120)}" for k in range(720)]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,value", *rows]))
    report = tmp_path / "out.html"

    code = main(
        ["replay", "--policy", str(tmp_path / "p.yaml"), "--trace", str(tmp_path / "t.csv"),
         "--risk", "2%", "--report", str(report)]
    )  # fmt: skip

    html = report.read_text(encoding="utf-8")
    shown = unescape(html.split("<pre>")[1].split("</pre>")[0])
    pasted = WorkloadPolicy.model_validate(yaml.safe_load(shown))
    assert code == 0
    assert "risk" in capsys.readouterr().out
    assert (pasted.mode, pasted.forecast.risk, pasted.max_replicas) == ("ForecastOnly", 0.02, 50)
    assert "<h2>The worst hour</h2>" in html
