"""A Prometheus of N meshed workloads that streams its answers: for benches, in its own process.

The loads wander slowly, so that a steady state has a few rescales a minute and not none.
"""

import json
import math
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PARTS = {"series": "6", "emitters": "4", "before": "4"}


def rows(n: int, now: float) -> str:
    """Return the answer to the batched linkerd query, as one JSON text."""
    out = []
    for i in range(n):
        labels = f'"namespace":"shop","deployment":"service-{i:05d}"'
        load = 900 * (1 + 0.2 * math.sin(now / 3600 + i))
        for part, value in {**PARTS, "load": f"{load:.4f}", "at": f"{now - 5:.3f}"}.items():
            metric = f'{{"autoscaler_part":"0:{part}",{labels}}}'
            out.append(f'{{"metric":{metric},"value":[{now:.3f},"{value}"]}}')
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{",".join(out)}]}}}}'


class Handler(BaseHTTPRequestHandler):
    """Answers `query` for everybody at once, `query_range` with an empty past."""

    n_workloads = 0
    queries = 0

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _answer(self, query: str) -> None:
        path, asked = urlsplit(self.path).path, parse_qs(query).get("query", [""])[0]
        if path == "/queries":
            body = json.dumps(Handler.queries)
        else:
            Handler.queries += 1
            everything = path.endswith("/query") and "request_total" in asked
            kind = "matrix" if path.endswith("/query_range") else "vector"
            empty = {"status": "success", "data": {"resultType": kind, "result": []}}
            body = rows(self.n_workloads, time.time()) if everything else json.dumps(empty)
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
