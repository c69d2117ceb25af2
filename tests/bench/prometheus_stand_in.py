"""A Prometheus of N meshed workloads that streams its answers: for benches, in its own process.

The loads wander slowly, so that a steady state has a few rescales a minute and not none.
"""

import json
import math
import re
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PARTS = {"series": "6", "emitters": "4", "before": "4"}
# So many workloads differ; the others do as one of these.
VARIANTS = 97


def load_of(i: int, at: float) -> float:
    """Return the load of workload i, requests/s, `at` in unix seconds: six to nine pods' worth."""
    return 900 * (1 + 0.2 * math.sin(at / 3600 + i % VARIANTS))


def rows(n: int, now: float) -> str:
    """Return the answer to the batched linkerd query, as one JSON text."""
    out = []
    for i in range(n):
        labels = f'"namespace":"shop","deployment":"service-{i:05d}"'
        load = f"{load_of(i, now):.4f}"
        for part, value in {**PARTS, "load": load, "at": f"{now - 5:.3f}"}.items():
            metric = f'{{"autoscaler_part":"0:{part}",{labels}}}'
            out.append(f'{{"metric":{metric},"value":[{now:.3f},"{value}"]}}')
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{",".join(out)}]}}}}'


def past(names: list[str], start: float, end: float, step: float) -> Iterator[str]:
    """Yield the pasts of some workloads row by row, as `support.backfill_worker.load_at` has them.

    Seven texts serve all rows: a stand-in that is slower than its reader would be measured instead.
    """
    times = [start + k * step for k in range(round((end - start) / step) + 1)]
    levels = [(t, t // 60 % 1440) for t in times]
    texts = [",".join(f'[{t:.0f},"{100 + k + level:g}"]' for t, level in levels) for k in range(7)]
    yield '{"status":"success","data":{"resultType":"matrix","result":['
    for position, name in enumerate(names):
        labels = f'"namespace":"shop","deployment":"service-{name}"'
        metric = f'{{"autoscaler_part":"0:load",{labels}}}'
        comma = "," if position else ""
        yield f'{comma}{{"metric":{metric},"values":[{texts[int(name) % 7]}]}}'
    yield "]}}"


class Handler(BaseHTTPRequestHandler):
    """Answers `query` for everybody at once, `query_range` for those that the query names."""

    n_workloads = 0
    queries = 0

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _stream(self, asked: dict[str, list[str]], names: list[str]) -> None:
        """Send row after row, with no length announced."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        start, end, step = (float(asked[name][0]) for name in ("start", "end", "step"))
        for text in past(names, start, end, step):
            self.wfile.write(text.encode())

    def _answer(self, query: str) -> None:
        whole = parse_qs(query)
        names = re.findall(r"service-(\d+)", whole.get("query", [""])[0].replace("\\", ""))
        if urlsplit(self.path).path.endswith("/query_range") and names:
            Handler.queries += 1
            self._stream(whole, sorted(set(names)))
            return
        path, asked = urlsplit(self.path).path, parse_qs(query).get("query", [""])[0]
        if path == "/queries":
            body = json.dumps(Handler.queries)
        else:
            Handler.queries += 1
            everything = path.endswith("/query") and "request_total" in asked
            kind = "matrix" if path.endswith("/query_range") else "vector"
            empty = {"status": "success", "data": {"resultType": kind, "result": []}}
            now = float(whole.get("time", [time.time()])[0])  # the asker's clock may be ahead
            body = rows(self.n_workloads, now) if everything else json.dumps(empty)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        return


if __name__ == "__main__":
    Handler.n_workloads = int(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
