"""The page in a real browser: what a person sees is what the records say, and nothing leaves.

Screenshots are kept in `artifacts/screenshots/`.
"""

import json
import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import axe_core_python
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from autoscaler.commands import demo
from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import Doubt, Sample, TargetRef, Trust
from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import load_text
from autoscaler.remedies import REMEDY
from autoscaler.replay.hpa import KNEE, HpaConfigs, hpa_run
from autoscaler.replay.ticks import measured_load
from autoscaler.review.latest import LatestRecords
from autoscaler.review.report import report_html
from autoscaler.review.server import serve_page
from review.records import CHECKOUT, NOW, decided, forecast, policy, record, signal
from review.replays import YAML, burst
from support.load_texts import LOAD_TEXTS
from support.readme import take_screenshot

SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"
AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
TICK = timedelta(seconds=15)
# The page asks every five seconds, and this may be a slow machine.
expect.set_options(timeout=60_000)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        missing = "chromium is missing: apt-get install chromium"
        pytest.fail(missing) if os.environ.get("REQUIRE_REAL") == "1" else pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


# Chromium opens sockets ahead; one that is closed by the time it is used is no fault of the page,
# which asks again. A server that is not there is another error (ERR_CONNECTION_REFUSED).
OF_CHROMIUM = "net::ERR_SOCKET_NOT_CONNECTED"


class Visit:
    """One look at the page, which notes every complaint and every request."""

    def __init__(self, browser, url, *, width, scheme):
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page = self.context.new_page()
        self.url, self.complaints, self.hosts = url, [], set()
        self.page.on("console", lambda m: self.complain(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complain(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.set_default_timeout(60_000)

    def complain(self, text):
        if OF_CHROMIUM not in text:
            self.complaints.append(text)

    def go(self, where=""):
        self.page.goto(f"{self.url}/{where}")
        self.page.wait_for_selector("#main[aria-busy=false]", state="attached")
        return self.page

    def keep(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@contextmanager
def visiting(browser, latest, *, width=1280, scheme="light", clean=True):
    """Serve these records, look at them, and insist that nothing complained and nothing left."""
    server = serve_page(latest)
    visit = Visit(browser, f"http://127.0.0.1:{server.server_port}", width=width, scheme=scheme)
    visit.server = server
    try:
        yield visit
    finally:
        visit.context.close()
        server.shutdown()
        server.server_close()
    if clean:
        assert visit.complaints == []
    assert visit.hosts <= {urlsplit(visit.url).netloc}


@pytest.fixture
def latest():
    """Two hours of a morning for checkout, and neighbours in every state."""
    latest = LatestRecords()
    for k in range(480):
        latest.keep(morning(k))
    latest.keep(decided(spec=policy(maxReplicas=12), target=TargetRef("shop", "tickets")))
    blind = signal(sample=Sample(None, doubt=Doubt.ABSENT), forecast=None)
    latest.keep(decided(blind, target=TargetRef("shop", "cart")))
    latest.keep(record(trust=Trust.DEMOTED, target=TargetRef("api", "search")))
    latest.keep(record(9, 9, (Reason.REPLICAS_CONTESTED, 14, 9), target=TargetRef("api", "auth")))
    return latest


def morning(k):
    """Return the k-th cycle: load rises, replicas follow two minutes ahead."""
    load = 300.0 + 3.3 * k + 40 * ((k * 7919) % 13) / 13
    now, ready = int((load * 1.2) / 120) + 1, int(load * 1.15 / 120) + 1
    before = int((load - 4) * 1.2 / 120) + 1
    one = signal(load, forecast=forecast(load * 1.2), sample=Sample(load, NOW + k * TICK, 3))
    made = decided(one, current=before, ready=ready, now=NOW + k * TICK)
    return replace(made, rescaled=made.decision.rescale and now >= before)


def shown(page, list_id):
    """Return a description list as a dictionary."""
    return dict(
        page.eval_on_selector_all(
            f"#{list_id} > div",
            "divs => divs.map(d => [d.children[0].textContent, d.children[1].textContent])",
        )
    )


POLICY = "#/policy/shop/checkout/Deployment"


def test_what_needs_attention_comes_first(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go()
        names = page.locator("td.who a").all_inner_texts()
        visit.keep("overview-light")

    assert names == ["api/auth", "shop/cart", "shop/tickets", "shop/checkout", "api/search"]


def test_each_row_shows_its_last_hour_and_says_it_in_words(chromium, latest):
    trend = latest.history.last_hour(CHECKOUT, 0)
    low, high = (load_text(f(trend["load"])) for f in (min, max))
    with visiting(chromium, latest) as visit:
        page = visit.go()
        row = page.locator("tr", has=page.get_by_role("link", name="shop/checkout"))
        picture = row.get_by_role("img")
        told = picture.get_attribute("aria-label")
        pieces = picture.locator("path.load").get_attribute("d").count("L")
        blind = page.locator("tr", has=page.get_by_role("link", name="shop/cart"))

        assert blind.get_by_role("img").count() == 0

    carried = load_text(trend["carried"][-1])
    assert told == f"{low} to {high} requests/s in the last hour; ready pods carry {carried}"
    assert pieces == len(trend["load"]) - 1


def test_hover_tells_the_numbers_of_the_record(chromium, latest):
    line = latest.of(CHECKOUT).as_dict()
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.locator("#chart").focus()
        page.keyboard.press("End")
        told = shown(page, "readout")
        sentence = page.locator("#sentence").inner_text()
        visit.keep("policy-light")

    one = line["signals"][0]
    assert sentence == line["message"]
    assert told["Load"] == f"{load_text(one['value'])} requests/s"
    median, quantile = (load_text(one["forecast"][key]) for key in ("median", "quantile"))
    assert told["Forecast in 2m"] == f"{median} to {quantile} requests/s"
    assert told["Ready / ordered"] == f"{line['ready_replicas']} / {line['current_replicas']}"
    assert told["Desired"] == str(line["desired_replicas"])
    carried = line["ready_replicas"] * one["capacity"]["per_pod"]
    assert told["Ready pods carry"] == f"{load_text(carried)} requests/s"
    assert (told["Reason"], told["Trust"]) == (line["reason"], line["trust"])


def test_every_line_and_mark_of_the_chart_is_named(chromium, latest):
    latest.keep(record(19, 25, at=NOW + 481 * TICK))
    latest.keep(record(25, 19, at=NOW + 482 * TICK))
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name="All", exact=True).click()
        drawn = page.eval_on_selector_all("#chart [class]", "all => all.map(e => e.classList[0])")
        named = page.eval_on_selector_all(".legend li", "all => all.map(e => e.className)")
        words = page.locator("#chart text").all_text_contents()

    # The edge of the band, the grid, and what the pointer does name themselves.
    others = {"level", "grid", "title", "now", "cursor", "chosen"}
    assert {f"key-{name}" for name in drawn if name not in others} == set(named)
    assert {"UTC", "now"} <= set(words)


@pytest.mark.parametrize("width", [400, 1280])
def test_no_time_on_the_axis_is_cut_or_written_over_another(chromium, width):
    latest = LatestRecords()
    latest.keep(morning(0))
    with visiting(chromium, latest, width=width) as visit:
        visit.go(POLICY)
        boxes = visit.page.eval_on_selector_all(
            "#chart text",
            """all => all.filter(e => /UTC|:/.test(e.textContent))
                .map(e => e.getBBox()).map(b => [b.x, b.x + b.width])""",
        )
        end = visit.page.locator("#chart").bounding_box()["width"]

    ends = [edge for box in sorted(boxes) for edge in box]
    assert len(boxes) > 3
    assert ends == sorted(ends)
    assert ends[-1] <= end


def test_without_a_cursor_the_chart_is_told_as_a_whole(chromium, latest):
    rows = latest.history.columns(CHECKOUT)
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name="All", exact=True).click()
        told, readout = shown(page, "readout"), page.locator("#readout")
        expect(readout).to_have_attribute("aria-live", "off")
        page.locator("#chart").focus()
        page.keyboard.press("End")
        expect(readout).to_have_attribute("aria-live", "polite")

    low, high = (load_text(f(rows["value.0"])) for f in (min, max))
    assert told == {
        "Shown, UTC": "11-23 09:00:00 to 10:59:45",
        "Load": f"{low} to {high} requests/s",
        "Ready replicas": f"{min(rows['ready'])} to {max(rows['ready'])}",
        "Desired replicas": f"{min(rows['desired'])} to {max(rows['desired'])}",
    }


def test_the_page_of_a_policy_says_what_to_do_as_explain_does(chromium):
    latest, blind = LatestRecords(), Sample(None, doubt=Doubt.UNREACHABLE)
    latest.keep(decided(signal(sample=blind, forecast=None)))
    with visiting(chromium, latest) as visit:
        ways = visit.go(POLICY).locator("#ways-out")
        expect(ways).to_have_text(f"What to do: {REMEDY[Doubt.UNREACHABLE]}.")
        latest.keep(record(10, 10, at=NOW + TICK))
        expect(ways).to_be_hidden()


@pytest.mark.parametrize("width", [400, 1280])
def test_the_lines_of_the_last_hour_are_named_at_every_width(chromium, latest, width):
    with visiting(chromium, latest, width=width) as visit:
        keys = visit.go().locator("caption")
        expect(keys).to_be_in_viewport()
        expect(keys).to_have_text("Last hour: load what the ready pods carry")
        box = keys.bounding_box()

    assert box["width"] > 300


UNITS = [
    ("RequestRate linkerd", "requests/s"),
    ("RequestRate query", "requests/s"),
    ("ContainerResource php-fpm cpu", "cores"),
    ("Resource cpu", "cores"),
    ("Resource memory", "bytes"),
    ("External queue_length", ""),
    ("Pods cpu", ""),
]


@pytest.mark.parametrize("width", [1280, 400])
def test_a_load_has_its_unit_where_it_is_known(chromium, width):
    latest = LatestRecords()
    for k, (metric, _) in enumerate(UNITS):
        latest.keep(decided(signal(metric=metric), target=TargetRef("shop", f"w{k}")))
    blind = signal(sample=Sample(None, doubt=Doubt.ABSENT), forecast=None)
    latest.keep(decided(blind, target=TargetRef("shop", "w9")))
    with visiting(chromium, latest, width=width) as visit:
        page = visit.go()
        names = page.locator("td.who a").all_text_contents()
        loads = dict(zip(names, page.locator("td.value").all_text_contents(), strict=True))
        facts = shown(visit.go("#/policy/shop/w2/Deployment"), "facts")
        heading = page.locator(".chart .title").first.text_content()
        visit.keep(f"units-{width}")

    assert [loads[name].strip() for name in sorted(loads)] == [
        *(f"1200 {unit}".strip() for _, unit in UNITS),
        "\N{EN DASH}",
    ]
    assert (facts["Measured"], facts["Carried per pod"]) == ("1200 cores", "120 cores (policy)")
    assert heading == "load, cores"


def test_a_number_has_no_more_digits_than_one_reads(chromium, latest):
    skilled = forecast(1600.0, skill=0.836227, coverage=0.993445)
    latest.keep(decided(signal(726.483, forecast=skilled), now=NOW + 481 * TICK))
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        written = page.evaluate(
            "async values => values.map((await import('/format.js')).number)",
            [value for value, _ in LOAD_TEXTS],
        )
        facts = shown(page, "facts")
        page.locator("#facts").screenshot(path=SCREENSHOTS / "facts.png")

    assert written == [text for _, text in LOAD_TEXTS]
    assert (facts["Measured"], facts["Accepted risk"]) == ("726.5 requests/s", "1%")
    assert (facts["Skill over persistence"], facts["Coverage"]) == ("84%", "99.34%")


@pytest.mark.parametrize("minutes", ["15 min", "All"])
def test_a_change_of_just_now_is_a_step_and_no_vertical_at_the_end(chromium, latest, minutes):
    latest.keep(record(19, 25, at=NOW + 481 * TICK))
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name=minutes, exact=True).click()
        now = float(page.locator("#chart .now").get_attribute("x1"))
        ends = [
            re.fullmatch(r".*V[\d.]+H([\d.]+)", path.get_attribute("d"))
            for path in page.locator("#chart path.desired, #chart path.capacity").all()
        ]
        visit.keep(f"newest-step-{minutes}")

    assert [float(end[1]) - now > 8 for end in ends] == [True, True]


def test_the_pointer_reads_any_moment_of_the_past(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name="All", exact=True).click()
        box = page.locator("#chart").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
        told = shown(page, "readout")

    rows = latest.history.columns(CHECKOUT)
    moments = [time.strftime("%m-%d %H:%M:%S", time.gmtime(t)) for t in rows["time"]]
    index = moments.index(told["Time, UTC"])
    assert 150 < index < 330
    assert told["Load"] == f"{load_text(rows['value.0'][index])} requests/s"
    assert told["Desired"] == str(rows["desired"][index])


def test_the_hpa_on_the_page_is_the_hpa_of_a_replay(chromium, latest):
    offered = 9 + 6 * np.sin(np.arange(960) / 50) + np.where(np.arange(960) % 300 < 40, 9, 0)
    measured = measured_load(offered)
    # At 85 % of the physical limit a pod is at its target: one unit of load per pod.
    config = HpaConfigs(np.array([KNEE]), np.array([False]))
    run = hpa_run(offered, measured, config, startup_seconds=120, first=7)
    rows = {
        "time": [15 * k for k in range(960)],
        "value": [None if np.isnan(v) else v for v in measured.tolist()],
        "perPod": [1] * 960,
        "lead": [120] * 960,
        **{"first": 7, "min": 1, "max": 1000},
    }
    with visiting(chromium, latest) as visit:
        played = visit.go().evaluate(
            "async rows => (await import('/hpa.js')).simulatedHpa(rows)", rows
        )

    assert played["ordered"] == run.desired[:, 0].tolist()
    assert played["ready"] == run.ready[:, 0].tolist()


@pytest.mark.parametrize("seconds", [5, 14.99, 15, 15.02], ids=["5 s", "early", "on time", "late"])
def test_the_hpa_on_the_page_scales_out_however_far_apart_cycles_are(chromium, latest, seconds):
    moments = [seconds * k for k in range(40)]
    rows = {
        "time": moments,
        "value": [1000 if at >= 60 else 300 for at in moments],
        **{"perPod": [50] * 40, "lead": [60] * 40, "first": 6, "min": 2, "max": 30},
    }
    with visiting(chromium, latest) as visit:
        played = visit.go().evaluate(
            "async rows => (await import('/hpa.js')).simulatedHpa(rows).ordered", rows
        )

    assert list(dict.fromkeys(played)) == [6, 12, 20]
    assert played[min(k for k, at in enumerate(moments) if at >= 60 + 15 + seconds)] == 20


@pytest.mark.parametrize("where", ["", POLICY])
def test_a_daemon_that_hung_long_ago_is_told_from_the_first_look(chromium, where):
    ago = 1000.0
    latest = LatestRecords(clock=lambda: time.monotonic() - ago)
    latest.keep(morning(0))
    ago = 0.0
    with visiting(chromium, latest) as visit:
        live = visit.go(where).locator("#live")

        told = "Not live: no new decision for 16m; last decided 11-23 09:00:00 UTC"
        assert live.inner_text() == told
        expect(live).to_have_class("stale")
        visit.keep("hung")


def test_one_that_is_not_decided_while_others_are_is_not_live(chromium):
    latest = LatestRecords()
    latest.keep(morning(0))
    latest.keep(record(at=NOW + timedelta(minutes=3), target=TargetRef("api", "search")))
    with visiting(chromium, latest) as visit:
        told = [visit.go(where).locator("#live").inner_text() for where in ("", POLICY)]

    assert told == [
        "Live, decided 11-23 09:03:00 UTC",
        "Not live: no new decision for 3m; last decided 11-23 09:00:00 UTC",
    ]


def test_what_has_ended_is_not_live_from_the_first_look(chromium, latest):
    latest.ended = "the demo's days are over"
    with visiting(chromium, latest) as visit:
        told = visit.go(POLICY).locator("#live").inner_text()

    assert told == "Not live: the demo's days are over; last decided 11-23 10:59:45 UTC"


def test_a_daemon_that_hangs_in_its_first_cycle_is_told(chromium):
    ago = 1000.0
    latest = LatestRecords(clock=lambda: time.monotonic() - ago)
    ago = 0.0
    with visiting(chromium, latest) as visit:
        told = visit.go().locator("#live").inner_text()

    assert told == "Not live: no new decision for 16m"


def test_where_nothing_is_governed_the_page_is_live_and_says_so(chromium):
    latest = LatestRecords()
    latest.note_cycle(NOW)
    with visiting(chromium, latest) as visit:
        page = visit.go()
        expect(page.locator("#live")).to_have_text("Live, decided 11-23 09:00:00 UTC")
        expect(page.locator("#empty")).to_contain_text("No policy is in force. A policy is")


def test_a_workload_that_is_no_deployment_is_titled_with_its_kind(chromium):
    latest = LatestRecords()
    latest.keep(record(target=TargetRef("shop", "checkout", "StatefulSet")))
    with visiting(chromium, latest) as visit:
        page = visit.go("#/policy/shop/checkout/StatefulSet")
        expect(page.locator("#policy-title")).to_have_text("StatefulSet/shop/checkout")


def test_a_new_decision_appears_by_itself(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        before, status = page.locator("#live").inner_text(), page.get_by_role("status")
        expect(status).to_have_text("Live")  # all that is read aloud
        latest.keep(record(19, 25, at=NOW + 481 * TICK))
        expect(page.locator("#sentence")).to_contain_text("scaled from 19 to 25")
        expect(page.locator("#changes li").first).to_contain_text("19 → 25")
        expect(page.locator("#changes li").first).to_have_class("up")

        assert page.locator("#live").inner_text() != before


def test_a_change_opens_to_the_whole_line_of_the_log(chromium, latest):
    newest = latest.history.changes(CHECKOUT)[-1]
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.locator("#changes summary").first.click()

        assert json.loads(page.locator("#changes pre").inner_text()) == json.loads(
            json.dumps(newest)
        )


def test_zoom_by_drag_by_key_and_back(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name="All", exact=True).click()
        everything = page.locator("#chart").text_content()
        box = page.locator("#chart").bounding_box()
        page.mouse.move(box["x"] + 300, box["y"] + 80)
        page.mouse.down()
        page.mouse.move(box["x"] + 420, box["y"] + 80)
        page.mouse.up()
        dragged = page.locator("#chart").text_content()
        pressed = page.locator(".ranges [aria-pressed=true]")
        expect(pressed).to_have_count(0)
        page.locator("#chart").focus()
        page.keyboard.press("Escape")

        assert dragged != everything
        assert page.locator("#chart").text_content() == everything
        expect(pressed).to_have_text("All")


def test_filter_and_state_buttons_narrow_the_table(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go()
        page.get_by_label("Workload").fill("api/")
        expect(page.locator("td.who a")).to_have_count(2)
        page.get_by_label("Workload").fill("")
        page.get_by_role("button", name=re.compile("capped 1")).click()
        expect(page.locator("td.who a")).to_have_text(["shop/tickets"])
        page.get_by_label("Workload").fill("nothing like it")
        expect(page.locator("#empty")).to_have_text(
            "No policy matches. Clear the filter to see all."
        )


def test_the_address_shows_to_another_what_its_sender_saw(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go()
        page.get_by_label("Workload").fill("shop/")
        page.get_by_label("Sort by").select_option("replicas")
        expect(page.locator("td.who a").first).to_have_text("shop/checkout")
        page.get_by_role("button", name=re.compile("capped 1")).click()
        expect(page.locator("td.who a")).to_have_text(["shop/tickets"])
        address = page.url.removeprefix(f"{visit.url}/")
        other = visit.context.new_page()
        other.goto(page.url)
        expect(other.locator("td.who a")).to_have_text(["shop/tickets"])
        chosen = [other.get_by_label(name).input_value() for name in ("Workload", "Sort by")]
        pressed = other.locator("#counts [aria-pressed=true]").inner_text()

    assert address == "#/?q=shop%2F&attention=capped&sort=replicas"
    assert (chosen, pressed) == (["shop/", "replicas"], "capped 1")


def choose_six_hours(page):
    page.get_by_role("button", name="6 h", exact=True).click()


def choose_by_dragging(page):
    box = page.locator("#chart").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 80)
    page.mouse.up()
    page.mouse.move(box["x"] + 420, box["y"] - 20)


@pytest.mark.parametrize(
    ("choose", "where", "pressed"),
    [
        pytest.param(lambda page: None, r"\?last=60$", ["1 h"], id="as it opens"),
        pytest.param(choose_six_hours, r"\?last=360$", ["6 h"], id="by a button"),
        pytest.param(choose_by_dragging, r"\?from=\d{10}&to=\d{10}$", [], id="by dragging"),
    ],
)
def test_a_link_opens_on_the_range_that_its_sender_saw(chromium, latest, choose, where, pressed):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        choose(page)
        expect(page).to_have_url(re.compile(re.escape(POLICY) + where))
        other = visit.context.new_page()
        other.goto(page.url)
        expect(other.locator("#policy-title")).to_have_text("shop/checkout")
        expect(other.locator(".ranges [aria-pressed=true]")).to_have_text(pressed)
        seen = [each.locator("#chart text").all_text_contents() for each in (page, other)]

    assert seen[0] == seen[1]


def test_the_next_policy_opens_on_the_range_that_was_chosen_last(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        choose_six_hours(page)
        page.get_by_role("link", name="All policies").click()
        page.get_by_role("link", name="api/auth").click()
        expect(page).to_have_url(re.compile(r"api/auth/Deployment\?last=360$"))

        expect(page.locator(".ranges [aria-pressed=true]")).to_have_text("6 h")


def test_the_chart_goes_on_when_the_clock_of_the_daemon_is_set_back(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY)
        page.get_by_role("button", name="All", exact=True).click()
        expect(page.locator("#readout")).to_contain_text("11-23 09:00:00 to 10:59:45")
        latest.keep(morning(100))
        expect(page.locator("#readout")).to_contain_text("11-23 09:00:00 to 09:25:00")
        latest.keep(morning(101))
        expect(page.locator("#readout")).to_contain_text("11-23 09:00:00 to 09:25:15")


def test_a_page_that_is_open_for_a_day_shows_no_less_than_one_that_is_opened(chromium, latest):
    with visiting(chromium, latest) as visit:
        asked, lengths = visit.go().evaluate(
            """async () => {
                const { Policy } = await import("/policy.js");
                const policy = new Policy(() => {}, () => {}), asked = [], lengths = [];
                for (const [n, from] of [[6000, 1], [1, 6001], [2400, 3602]]) {
                    policy.keepRows({ time: Array.from({ length: n }, (_, i) => from + i) });
                    asked.push(policy.question()[1].after);
                    lengths.push(policy.rows.time.length);
                }
                return [asked, lengths];
            }"""
        )

    assert asked == [6000, 0, 6001]
    assert lengths == [6000, 6001, 2400]


@pytest.mark.parametrize(
    "where",
    [
        *("?last=", "?last=-5", "?from=9&to=3", "?from=1&to=2000", "?x"),
        "?from=9000000000&to=9000003600",
    ],
)
def test_a_range_that_is_none_or_long_gone_or_to_come_is_the_last_hour(chromium, latest, where):
    with visiting(chromium, latest) as visit:
        page = visit.go(POLICY + where)

        expect(page.locator(".ranges [aria-pressed=true]")).to_have_text("1 h")
        expect(page).to_have_url(re.compile(r"\?last=60$"))


def test_the_way_back_from_a_policy_leads_to_what_was_narrowed(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go("#/?q=api%2F")
        names = page.locator("td.who a")
        expect(names).to_have_text(["api/auth", "api/search"])
        for back in (page.get_by_role("link", name="All policies").click, page.go_back):
            names.first.click()
            expect(page.locator("#policy-title")).to_have_text("api/auth")
            back()
            expect(names).to_have_text(["api/auth", "api/search"])
        page.get_by_role("link", name="Autoscaler", exact=True).click()
        expect(names).to_have_count(5)

        assert page.get_by_label("Workload").input_value() == ""


def test_what_is_chosen_changes_the_address_and_loads_nothing_anew(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go("#/?sort=name")
        page.evaluate("window.here = true")
        page.get_by_label("Sort by").select_option("attention")
        page.get_by_label("Workload").fill("ap")
        expect(page.locator("td.who a")).to_have_count(2)

        assert page.url == f"{visit.url}/#/?q=ap"
        assert page.evaluate("[window.here, history.length]") == [True, 2]


@pytest.mark.parametrize(
    "where",
    [
        "#/?sort=nonsense",
        "#/?offset=-1&limit=0",
        "#/?offset=400",
        "#/?%",
        "#//",
        "#?",
        "#/%",
        "#/x",
    ],
)
def test_an_address_that_is_half_wrong_narrows_by_the_other_half(chromium, latest, where):
    with visiting(chromium, latest) as visit:
        page = visit.go(where)
        expect(page.locator("td.who a")).to_have_count(5)

        assert page.get_by_label("Sort by").input_value() == "attention"


def test_a_state_that_is_none_is_said_and_there_is_a_way_out(chromium, latest):
    with visiting(chromium, latest, clean=False) as visit:
        page = visit.go("#/?attention=%22bored%22")
        expect(page.locator("#trouble")).to_contain_text("attention is one of refused, not found")
        visit.keep("no such state")
        page.get_by_role("link", name="All policies").click()
        expect(page.locator("td.who a")).to_have_count(5)
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_name_that_is_no_encoding_is_meant_as_it_stands(chromium, latest):
    with visiting(chromium, latest, clean=False) as visit:
        page = visit.go("#/policy/shop/100%")
        trouble = "The autoscaler answered: no policy governs this workload."
        expect(page.locator("#trouble")).to_have_text(trouble)


def test_what_a_policy_calls_its_metric_is_shown_and_never_run(chromium):
    """Who writes policies is not who looks at the page."""
    hostile = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    latest = LatestRecords()
    blind = Sample(None, doubt=Doubt.REFUSED, detail=hostile)
    for k, sample in enumerate((Sample(300.0, NOW, 3), blind)):
        one = signal(metric=f"External {hostile}", sample=sample, forecast=None)
        latest.keep(decided(one, target=TargetRef("shop", f"w{k}")))
    with visiting(chromium, latest) as visit:
        for where in ("", "#/policy/shop/w0/Deployment", "#/policy/shop/w1/Deployment"):
            page = visit.go(where)
            page.get_by_text("onerror=alert(1)").first.wait_for(state="attached")

            assert page.locator("main img, main script").count() == 0


def test_by_keyboard_alone_one_gets_to_a_policy_and_back(chromium, latest):
    with visiting(chromium, latest) as visit:
        page = visit.go()
        page.locator("td.who a").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#policy-title")).to_have_text("api/auth")
        page.get_by_role("link", name="All policies").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#policies")).to_be_visible()


def test_before_the_first_decision_it_says_what_to_do(chromium):
    with visiting(chromium, LatestRecords()) as visit:
        page = visit.go()
        expect(page.locator("#empty")).to_contain_text("No policy has been decided yet")
        expect(page.locator("#live")).to_have_text("Waiting for the first reconcile")
        visit.keep("empty")


@pytest.mark.parametrize("where", ["", POLICY])
def test_a_replica_that_writes_nothing_says_why(chromium, latest, where):
    latest.held_back = lambda: "standby: alpha leads"
    with visiting(chromium, latest) as visit:
        told = visit.go(where).locator("#held-back")
        expect(told).to_have_text("This replica writes nothing: standby: alpha leads.")
        latest.held_back = lambda: ""
        expect(told).to_be_hidden()


def test_a_policy_that_is_refused_is_told_as_it_is_written_until_it_is_mended(chromium, latest):
    problem = "shop/sale: minReplicas: '<b>few</b>' is no whole number\nthe last good version stays"
    latest.policy_problems = lambda: frozenset({problem})
    with visiting(chromium, latest) as visit:
        told = visit.go().locator("#policy-problems li")
        expect(told).to_have_text(f"A policy is refused: {problem}")
        visit.keep("refused policy")
        latest.policy_problems = frozenset
        expect(told).to_have_count(0)
        expect(visit.page.locator("#policy-problems")).to_be_hidden()


def test_a_policy_that_is_not_there_is_an_error_in_words(chromium, latest):
    with visiting(chromium, latest, clean=False) as visit:
        page = visit.go()
        page.evaluate("location.hash = '#/policy/shop/nothing/Deployment'")
        trouble = "The autoscaler answered: no policy governs this workload."
        expect(page.locator("#trouble")).to_have_text(trouble)
        expect(page.get_by_role("link", name="All policies")).to_be_visible()
        visit.keep("error")


def test_while_the_answer_is_awaited_it_says_so(chromium, latest):
    with visiting(chromium, latest) as visit:
        visit.page.route("**/api/policies*", lambda route: None)
        visit.page.goto(visit.url)
        expect(visit.page.locator("#live")).to_have_text("Loading…")
        expect(visit.page.locator("#main")).to_have_attribute("aria-busy", "true")
        visit.keep("loading")


def test_a_daemon_that_stops_answering_is_told_with_the_age_of_what_is_seen(chromium, latest):
    with visiting(chromium, latest, clean=False) as visit:
        page = visit.go()
        visit.server.shutdown()
        visit.server.server_close()
        trouble = page.locator("#trouble")
        expect(trouble).to_contain_text(
            "does not answer; trying again. What you see is from 1", timeout=20_000
        )
        expect(page.locator("#policies")).to_be_visible()
        visit.keep("not-answering")


def test_ten_thousand_policies_stay_usable(chromium):
    latest = LatestRecords()
    for n in range(10_000):
        state = Trust.DEMOTED if n % 500 == 0 else Trust.TRUSTED
        latest.keep(record(trust=state, target=TargetRef(f"team-{n % 40}", f"service-{n:05}")))
    with visiting(chromium, latest) as visit:
        page = visit.go()
        expect(page.locator("#range")).to_have_text("1\N{EN DASH}50 of 10000")
        page.get_by_role("button", name="Next").click()
        expect(page.locator("#range")).to_have_text("51\N{EN DASH}100 of 10000")
        page.get_by_label("Workload").fill("service-07777")
        expect(page.locator("td.who a")).to_have_text(["team-17/service-07777"])
        visit.keep("ten-thousand")


def test_the_first_screen_of_a_thousand_policies_is_there_again_after_a_reload(chromium):
    """How fast is measured by `tests/bench/viewers.py`."""
    latest = LatestRecords()
    for n in range(1000):
        latest.keep(record(target=TargetRef("shop", f"service-{n:04}")))
    with visiting(chromium, latest) as visit:
        visit.go()
        visit.page.reload()

        expect(visit.page.locator("td.who a")).to_have_count(50)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("where", "width"),
    [*(("", w) for w in (400, 899, 900, 1239, 1240)), (POLICY, 400), (POLICY, 1240)],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    chromium, latest, where, width, scheme
):
    with visiting(chromium, latest, width=width, scheme=scheme) as visit:
        page = visit.go(where)
        if where:
            page.locator("#chart").focus()
            page.keyboard.press("End")
        found = violations(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        visit.keep(f"{'policy' if where else 'overview'}-{width}-{scheme}")

    assert found == []
    assert overflow <= 0


@pytest.mark.parametrize("width", [900, 1000, 1200, 1440])
def test_from_900_pixels_on_every_number_stands_below_the_head_of_its_column(
    chromium, latest, width
):
    with visiting(chromium, latest, width=width) as visit:
        page = visit.go()
        expect(page.locator("td.replicas").first).to_be_visible()
        heads, cells = (
            [each.bounding_box() for each in page.locator(f"#policies {part}").all()[:8]]
            for part in ("th", "tbody tr:first-child td")
        )

    assert [box["x"] for box in heads] == pytest.approx([box["x"] for box in cells], abs=1)
    assert max(box["y"] for box in heads) < min(box["y"] for box in cells)


@pytest.mark.parametrize("width", [400, 900])
def test_no_state_runs_into_its_neighbour(chromium, width):
    latest = LatestRecords()
    blind = signal(sample=Sample(None, doubt=Doubt.ABSENT), forecast=None)
    latest.keep(decided(blind))
    with visiting(chromium, latest, width=width) as visit:
        state = visit.go().locator("td.state").first
        tag = state.locator(".tag")
        expect(tag).to_have_text("metrics unknown")
        ends = [box["x"] + box["width"] for box in (tag.bounding_box(), state.bounding_box())]

    assert ends[0] <= ends[1]


@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_nothing_in_a_report_either(chromium, width):
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme="dark")
    page.set_content(report_html(burst(), policy_yaml=YAML))
    found = violations(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.screenshot(path=SCREENSHOTS / f"report-{width}.png", full_page=True)
    page.close()

    assert found == []
    assert overflow <= 0


def violations(page):
    """Return what axe-core finds, one line each; it runs beside the page, past its own policy."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    results = page.evaluate("axe.run()")
    return [f"{v['id']}: {n['html'][:200]}" for v in results["violations"] for n in v["nodes"]]


def test_during_a_demo_the_page_lives(chromium):
    scene = demo.built_scene(days=1, seed=7, startup=timedelta(seconds=120), risk=0.01)
    latest = LatestRecords()
    world = World(scene.metrics, scene.cluster, scene.clock)
    daemon = Daemon(world, interval=demo.TICK, record=latest.keep)
    daemon.read_all_history()
    for _ in range(960):
        live(daemon, scene)
    with visiting(chromium, latest) as visit:
        page = visit.go("#/policy/shop/checkout/Deployment")
        page.get_by_role("button", name="6 h").click()
        page.locator("#chart").focus()
        page.keyboard.press("End")
        seen = shown(page, "readout")["Time, UTC"]
        visit.keep("demo")
        live(daemon, scene)
        expect(page.locator("#live")).to_contain_text(f"{scene.clock.now() - demo.TICK:%H:%M:%S}")
        page.keyboard.press("End")

        assert shown(page, "readout")["Time, UTC"] > seen


def test_the_picture_of_the_readme_is_made_by_its_command(chromium):
    picture = SCREENSHOTS / "readme.png"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    take_screenshot(chromium, picture, days=0.01)

    assert picture.stat().st_size > 20_000


def live(daemon, scene):
    daemon.cycle()
    scene.clock.advance(demo.TICK)


NS = "a-namespace-that-is-as-long-as-kubernetes-allows-for-one-label0"
LONG = TargetRef(NS, "a-workload-whose-name-is-as-long-as-kubernetes-allows-for-one-0")


@pytest.fixture(scope="module")
def extreme():
    """Names as long as Kubernetes allows, a thousand replicas, loads in bytes, and mistakes."""
    latest = LatestRecords()
    names = ("RequestRate linkerd", "ContainerResource a-container-with-a-long-name memory")
    signals = [signal(5.2e11, quantile=8.5e11, per_pod=1e8, metric=name) for name in names]
    spec = policy(LONG.name, maxReplicas=5000, metrics=list(policy().metrics) * 2)
    latest.keep(decided(*signals, current=1000, target=LONG, spec=spec))
    latest.policy_problems = lambda: frozenset(
        {f"ConfigMap {NS}/policies key {LONG.name}: no YAML"}
    )
    return latest


@pytest.mark.parametrize("width", [360, 768, 900, 1000, 1240])
@pytest.mark.parametrize("where", ["", f"#/policy/{LONG.namespace}/{LONG.name}/Deployment"])
def test_long_names_and_large_numbers_are_no_wider_than_the_window(chromium, extreme, where, width):
    with visiting(chromium, extreme, width=width) as visit:
        page = visit.go(where)
        expect(page.locator("td.value, #facts").first).to_contain_text("520G")
        cells = page.locator("td.number, #facts dd, #readout dd").all()
        overflow = [c.evaluate("e => e.scrollWidth - e.clientWidth") for c in cells]
        overflow.append(page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    assert max(overflow) <= 0
