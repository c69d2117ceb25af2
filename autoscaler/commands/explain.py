"""`autoscaler explain`: ask the decision log why; a sentence first, then the numbers.

    kubectl logs deploy/predictive-autoscaler | autoscaler explain shop/checkout
    autoscaler explain shop/checkout --since "yesterday 09:00" --until "yesterday 10:00"
    autoscaler explain shop/checkout --since 09:00 --without cooldown
    autoscaler explain --policies capped --log http://localhost:8080

Times are UTC. A clock time without a date is the last one before the log ends; as `--until` it is
the first one after `--since`.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from autoscaler.errors import FlagError, LogError
from autoscaler.policy.quantity import parsed_duration
from autoscaler.review.answer import Answer, Lines, at
from autoscaler.review.counterfactual import without_the_cooldown
from autoscaler.review.episodes import episodes, moment
from autoscaler.review.explanation import why_now
from autoscaler.review.fields import DecisionFields
from autoscaler.review.reading import Reading, opened, read_decisions, reference, who
from autoscaler.review.time_in_state import which_policies
from autoscaler.review.timeline import what_happened

# Kept per target are its newest lines: two weeks of a policy that changes every minute.
MOST_LINES = 20_000
_CLOCK = re.compile(r"(?:(yesterday|today) )?(\d{1,2}):(\d{2})(?::(\d{2}))?")


def main(arguments: argparse.Namespace) -> int:
    """Answer one question."""
    reading = Reading()
    with opened(arguments.log, target=arguments.target) as lines:
        decisions = read_decisions(lines, target=arguments.target, reading=reading)
        answer = _answer(arguments, decisions, reading)
    if reading.unreadable:
        print(reading.passed_over, file=sys.stderr)
    if arguments.output == "json":
        print(json.dumps({"answer": answer.sentence, **answer.data}, indent=2))
    else:
        print("\n".join([answer.sentence, *(f"  {row}" for row in answer.numbers)]))
    return 0


def _answer(
    arguments: argparse.Namespace, decisions: Iterable[DecisionFields], reading: Reading
) -> Answer:
    """Return the answer to the question that the flags ask."""
    if arguments.policies:
        return _which(arguments, decisions, reading)
    lines = _of_one_target(decisions)
    if not lines:
        raise reading.nothing_found(arguments.target)
    since, until = arguments.since, arguments.until
    if not (since or until or arguments.without):
        return why_now(lines)
    newest = at(lines[-1])
    start = _moment(since, newest=newest) if since else at(lines[0])
    end = _until(until, since=start if since else None, newest=newest)
    if start >= end:
        raise LogError(
            f"nothing lies between {start:%F %T} and {end:%F %T}; "
            f"the log holds {at(lines[0]):%F %T} to {newest:%F %T} (UTC)"
        )
    question = without_the_cooldown if arguments.without else what_happened
    return question(lines, start=start, end=end)


def _which(
    arguments: argparse.Namespace, decisions: Iterable[DecisionFields], reading: Reading
) -> Answer:
    moments = [moment(line, arguments.policies) for line in decisions]
    if not moments:
        raise reading.nothing_found(arguments.target)
    newest = max(one.at for one in moments)
    start = _moment(arguments.since, newest=newest) if arguments.since else None
    end = _until(arguments.until, since=start, newest=newest)
    found = episodes(moments, start=start, end=end)
    return which_policies(found, arguments.policies, n_policies=len({m.who for m in moments}))


def _of_one_target(decisions: Iterable[DecisionFields]) -> Lines:
    """Return the lines of the one target there is, oldest first; none where there is none."""
    found: dict[str, list[DecisionFields]] = {}
    for line in decisions:
        own = found.setdefault(who(line), [])
        own.append(line)
        if len(own) > 2 * MOST_LINES:
            del own[:MOST_LINES]
    if len(found) > 1:
        kinds = {lines[0]["target"]["kind"] for lines in found.values()}
        named = who if len(kinds) == 1 else reference
        some = ", ".join(sorted(named(lines[0]) for lines in found.values())[:10])
        raise LogError(f"which of {len(found)}? Name one: {some}")
    return sorted(next(iter(found.values()), ()), key=at)


def _until(text: str, *, since: datetime | None, newest: datetime) -> datetime:
    """Return the end of the question: of a clock time the first after `since`."""
    if not text:
        return newest
    end = _moment(text, newest=newest)
    bare = _CLOCK.fullmatch(text.strip())
    if since is not None and bare is not None and bare[1] is None and end <= since:
        return end + timedelta(days=1)
    return end


def _moment(text: str, *, newest: datetime) -> datetime:
    """Return a time: RFC 3339, the last such clock time of the log, or so long before its end."""
    match = _CLOCK.fullmatch(text.strip())
    if match is not None:
        day = newest.astimezone(UTC) - timedelta(days=match[1] == "yesterday")
        hour, minute, second = (int(part or 0) for part in match.groups()[1:])
        if hour < 24 and minute < 60 and second < 60:
            found = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return found - timedelta(days=match[1] is None and found > newest)
    try:
        moment_asked = datetime.fromisoformat(text)
        return moment_asked if moment_asked.tzinfo else moment_asked.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return newest - parsed_duration(text)
    except ValueError:
        raise FlagError(
            f"{text!r} is not a time such as 09:00, yesterday 09:00, 2026-11-23T09:00 or 2h"
        ) from None
