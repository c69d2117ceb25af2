"""What README shows, made anew: `python tests/support/readme.py` runs the demo and looks at it.

It replaces what stands between `<!-- demo:NAME -->` and `<!-- end -->` and writes `screenshot.png`.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from autoscaler.commands import demo
from autoscaler.daemon import Daemon, World
from autoscaler.review.latest import LatestRecords
from autoscaler.review.log import decision_line
from autoscaler.review.server import serve_page

ROOT = Path(__file__).parents[2]
README, SCREENSHOT = ROOT / "README.md", ROOT / "screenshot.png"
AUTOSCALER = Path(sys.executable).with_name("autoscaler")
# The last rush of `catalog`, whose customers come every day at seven.
WORKLOAD, SINCE, UNTIL = demo.SHOWN, "2026-11-22T06:55", "2026-11-22T07:05"
DAYS = 2.0
SIZE = ViewportSize(width=1100, height=840)
_BLOCK = re.compile(r"<!-- demo:(\w+) -->\n.*?<!-- end -->", re.DOTALL)


def demo_blocks(
    folder: Path, *, days: float = DAYS, since: str = SINCE, until: str = UNTIL
) -> dict[str, str]:
    """Run the demo and return each block of README by its name, told from `since` to `until`."""
    log = folder / "demo.log"
    ran = _run("demo", "--port", "0", "--days", f"{days:g}", "--log-format", "json")
    log.write_text(ran.stdout, encoding="utf-8")
    logged = [json.loads(line) for line in ran.stdout.splitlines()]
    lines = [line for line in logged if line["msg"] == "scale_decision"]
    told = [
        line
        for line in lines
        if line["target"]["name"] == WORKLOAD and since <= line["time"][:16] <= until
    ]
    shown = [line for line in told if line["rescaled"]]
    rows = [line for line in ran.stderr.splitlines() if WORKLOAD in line or "controller" in line]
    asked = ("--log", str(log), "--since", since, "--until", until)
    explained = _run("explain", f"{demo.NAMESPACE}/{WORKLOAD}", *asked).stdout
    return {
        "rescales": "\n".join(decision_line(line) for line in shown[:3]),
        "table": "\n".join(rows),
        "decision": wrapped(next(line for line in told if line["chain"])),
        "explain": "\n".join(explained.splitlines()[:3]),
    }


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([AUTOSCALER, *arguments], check=True, capture_output=True, text=True)


def wrapped(line: Mapping[str, Any]) -> str:
    """Return a decision line as people can read it: a field per line, long ones wrapped."""
    fields = [
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in line.items() if key != "ts"
    ]
    text = [
        "\n".join(textwrap.wrap(field, 110, subsequent_indent="   ", break_long_words=False))
        for field in fields
    ]
    return "{" + textwrap.indent(",\n".join(text), " ")[1:] + "}"


def refreshed(text: str, blocks: Mapping[str, str]) -> str:
    """Return README with every block made anew; a block that is missing on either side raises."""
    named = _BLOCK.findall(text)
    if sorted(named) != sorted(blocks):
        raise ValueError(f"README has the blocks {named}, there are {sorted(blocks)}")
    return _BLOCK.sub(lambda found: _block(found[1], blocks[found[1]]), text)


def _block(name: str, text: str) -> str:
    return f"<!-- demo:{name} -->\n\n{textwrap.indent(text, '    ')}\n\n<!-- end -->"


def take_screenshot(browser: Browser, path: Path, *, days: float = DAYS) -> None:
    """Write what the page shows first when the demo has ended, as this browser shows it."""
    latest = LatestRecords()
    scene = demo.built_scene(days=days, seed=7, startup=timedelta(seconds=120), risk=0.01)
    daemon = Daemon(
        World(scene.metrics, scene.cluster, scene.clock), interval=demo.TICK, record=latest.keep
    )
    daemon.read_all_history()
    while scene.clock.now() < scene.end:
        daemon.cycle()
        if scene.clock.now().second == 0:
            daemon.learn()
        scene.clock.advance(demo.TICK)
    server = serve_page(latest)
    url = f"http://127.0.0.1:{server.server_port}/#/policy/{demo.NAMESPACE}/{WORKLOAD}/Deployment"
    page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
    page.goto(url)
    page.wait_for_selector("#main[aria-busy=false]", state="attached")
    page.screenshot(path=path)
    page.close()
    server.shutdown()
    server.server_close()


def main() -> None:
    """Refresh README and its screenshot."""
    with tempfile.TemporaryDirectory() as folder:
        blocks = demo_blocks(Path(folder))
    README.write_text(refreshed(README.read_text(encoding="utf-8"), blocks), encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take_screenshot(browser, SCREENSHOT)
        browser.close()


if __name__ == "__main__":
    main()
