"""The replay as one file to send to a colleague: verdict first, then the evidence.

Self-contained: no script, nothing from another host, and every figure is one of the replay's.
"""

from html import escape
from importlib.resources import files

import numpy as np

from autoscaler.policy.quantity import seconds_text, share_text
from autoscaler.review.picture import frontier_chart, style, utc, whole_chart, worst_chart
from autoscaler.review.verdict import (
    Replayed,
    Run,
    WorstHour,
    Worth,
    cost_text,
    slow_ticks,
    summary,
    worst_hour,
    worth,
)


def report_html(run: Replayed, *, policy_yaml: str) -> str:
    """Return the whole report.

    Parameters
    ----------
    policy_yaml
        The policy that was replayed, with the risk that was replayed, to paste.
    """
    own = (files("autoscaler.review") / "static" / "report.css").read_text(encoding="utf-8")
    title = f"Replay of {run.trace}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style()}{own}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>"
        f'<p class="verdict {worth(run).name.lower()}">{escape(summary(run))}</p>'
        f"<p>{escape(_setting(run))}</p>"
        f"{_comparison(run)}{_frontier(run)}{_whole(run)}{_worst(run)}"
        f"{_to_paste(run, policy_yaml)}{_WORDS}</main></body></html>\n"
    )


def _setting(run: Replayed) -> str:
    known = float(np.isfinite(run.load).mean()) if run.load.size else 0.0
    begin, end = (_moment(float(t)) for t in (run.seconds[0], run.seconds[-1]))
    return (
        f"{run.days:.1f} days of recorded load ({begin} to {end} UTC, {known:.1%} of it known), "
        f"played in ticks of {run.tick_seconds:g} s; a pod needs {run.startup_seconds:g} s to "
        f"become ready; the accepted risk is {share_text(run.risk)}."
    )


def _comparison(run: Replayed) -> str:
    """Return the table of the four controllers."""
    rows = (
        ("autoscaler", _numbers(run.ours)),
        *((name, (slow, None, cost, None)) for name, slow, cost in run.tuned_hpas),
        ("clairvoyant", _numbers(run.clairvoyant)),
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td>{_share(slow)}</td><td>{_per_day(slow)}</td><td>{_share(overload)}</td>"
        f"<td>{cost_text(cost, run.load)}</td>"
        f"<td>{'' if rescales is None else f'{rescales:.1f}'}</td></tr>"
        for name, (slow, overload, cost, rescales) in rows
    )
    gap = ""
    if run.gap_closed is not None:
        closed = "None" if run.gap_closed <= 0 else f"{run.gap_closed:.0%}"
        gap = f" {closed} of that gap is closed."
    return (
        "<h2>Compared</h2><table><thead><tr><th></th><th>slow</th><th>slow per day</th>"
        f"<th>overload</th><th>cost</th><th>rescales/h</th></tr></thead><tbody>{body}</tbody>"
        f"</table><p>Between the tuned HPA and clairvoyance lies what prediction can win.{gap}</p>"
    )


def _numbers(run: Run) -> tuple[float, float | None, float, float | None]:
    return run.slow, run.overload, run.cost, run.rescales_per_hour


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _per_day(share: float) -> str:
    return seconds_text(share * 86_400)


def _frontier(run: Replayed) -> str:
    return (
        f"<h2>Cost against slow time</h2>{_scrolled(frontier_chart(run))}"
        "<p>Left is cheaper, lower is faster. Below the line is better than any HPA.</p>"
    )


def _whole(run: Replayed) -> str:
    told = escape(_whole_told(run))
    return f"<h2>The whole recording</h2>{_scrolled(whole_chart(run))}<p>{told}</p>"


def _scrolled(drawn: str) -> str:
    """Return what is wider than a narrow window so that it can be scrolled, by keyboard too."""
    return f'<div class="scrolled" tabindex="0">{drawn}</div>'


def _whole_told(run: Replayed) -> str:
    return (
        f"The HPA shown is the one of the line whose cost is nearest to ours: {run.hpa_name}. "
        "Marks below the axis are moments with more load than the ready pods carry; of each "
        "pixel the highest value is shown."
    )


def _worst(run: Replayed) -> str:
    """Return the worst hour of either: what happened, and what could have been known."""
    told = "<h2>The worst hour</h2>"
    worst = worst_hour(run, run.ready)
    if worst is None:
        told += "<p>There was none: no tick was slow.</p>"
    else:
        told += (
            f"<p>{escape(_worst_told(run, worst, whose='our'))}</p>"
            f"{_scrolled(worst_chart(run, run.ready))}"
        )
    theirs = worst_hour(run, run.hpa_ready)
    if theirs is not None:
        sentences = f"{_worst_told(run, theirs, whose='its')} {_ours_meanwhile(run, theirs)}"
        chart = _scrolled(worst_chart(run, run.hpa_ready))
        told += f"<h2>The HPA's worst hour</h2><p>{escape(sentences)}</p>{chart}"
    return told


def _worst_told(run: Replayed, worst: WorstHour, *, whose: str) -> str:
    begin = _moment(float(run.seconds[worst.first]))
    slow = seconds_text(worst.slow_seconds)
    startup = seconds_text(run.startup_seconds)
    before = "nobody knows what it needed"
    if worst.load_before is not None:
        before = f"it needed {worst.load_before:.1f}"
    return (
        f"In the hour from {begin} UTC the load was above what {whose} ready pods carry for "
        f"{slow}. At its worst it needed {worst.peak_load:.1f} pods and {worst.ready_at_peak} "
        f"were ready; {startup} earlier, when a pod ordered then would have been in time, {before}."
    )


def _ours_meanwhile(run: Replayed, theirs: WorstHour) -> str:
    hour = slice(theirs.first, theirs.last + 1)
    seconds = int(slow_ticks(run, run.ready)[hour].sum()) * run.tick_seconds
    return f"Our pods were slow for {seconds_text(seconds)} of that hour."


def _to_paste(run: Replayed, policy_yaml: str) -> str:
    if worth(run) is Worth.PLAIN_HPA:
        return (
            "<h2>What to do</h2><p>Keep a plain HPA on this workload. If you want to watch the "
            "forecast all the same, this policy only records what it would do:</p>"
            f"<pre>{escape(policy_yaml)}</pre>"
        )
    return (
        "<h2>The policy to paste</h2><p>It begins by recording only; set "
        "<code>mode: ForecastAndScale</code> once you have seen it decide.</p>"
        f"<pre>{escape(policy_yaml)}</pre>"
    )


def _moment(seconds: float) -> str:
    return f"{utc(seconds):%Y-%m-%d %H:%M}"


_WORDS = (
    "<h2>The words</h2><dl>"
    "<dt>slow</dt><dd>The load is above what the ready pods carry at the policy's target.</dd>"
    "<dt>overload</dt><dd>It is above their physical limit, the target divided by 0.85: requests "
    "are late or shed.</dd>"
    "<dt>cost</dt><dd>Pod time over the least that could have carried the load with pods that "
    "start in no time.</dd>"
    "<dt>HPA tuned in hindsight</dt><dd>The best of many targets, by CPU and by request rate, "
    "chosen after having seen the recording; yours was chosen before.</dd>"
    "<dt>clairvoyant</dt><dd>It knows the future and pays the same start-up time.</dd></dl>"
    "<p>A replay assumes that the load does not depend on us and that every pod starts in the "
    "same time. Past performance promises nothing about a day unlike any before.</p>"
)
