"""The wheel that users install holds everything, and works where no source tree is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
POLICY = """\
scaleTargetRef: {name: checkout}
maxReplicas: 5
metrics: [{type: RequestRate, requestRate: {source: linkerd, target: {averageValue: "100"}}}]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_both_packages_and_what_they_read(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    sources = {
        str(path.relative_to(ROOT))
        for package in ("autoscaler", "models")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".md"}
    }
    assert sources <= names
    assert not [name for name in names if name.startswith(("tests/", "deploy/", "notebooks/"))]


def test_the_installed_wheel_runs_from_anywhere(wheel, tmp_path):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    (tmp_path / "policy.yaml").write_text(POLICY)
    done = subprocess.run(
        [sys.executable, "-m", "autoscaler", "validate", "policy.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "policy.yaml: Deployment checkout is valid\n"
