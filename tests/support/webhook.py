"""Somebody else who writes at the worst moment: between our read and the server's write.

A validating webhook of the real API server: when a write of `deployments/scale` arrives, the test's
callback runs first, then the write goes on.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.loopback import Handler, Loopback, certified


class Webhook(Loopback):
    """An HTTPS server that allows everything, after `before(request)`."""

    def __init__(self, folder: Path, before: Callable[[dict[str, Any]], None]) -> None:
        self._certificate, tls = certified(folder, "webhook")
        super().__init__(_handler(before), tls=tls)

    def configuration(self, namespace: str) -> dict[str, Any]:
        """Return what makes the API server ask us about one namespace."""
        bundle = base64.b64encode(self._certificate.read_bytes()).decode()
        rule = {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["UPDATE"],
            "resources": ["deployments/scale"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": namespace},
            "webhooks": [
                {
                    "name": "somebody.else.example",
                    "clientConfig": {
                        "url": f"{self.url}/",
                        "caBundle": bundle,
                    },
                    "rules": [rule],
                    "namespaceSelector": {"matchLabels": {"intruder": namespace}},
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                }
            ],
        }


def _handler(before: Callable[[dict[str, Any]], None]) -> type[Handler]:
    class Review(Handler):
        def do_POST(self) -> None:
            request = json.loads(self.body())["request"]
            before(request)
            answer = {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": request["uid"], "allowed": True},
            }
            self.answer(json.dumps(answer).encode())

    return Review
