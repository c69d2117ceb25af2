"""Where Prometheus is, as the flags say it; shared by every command that asks it."""

import argparse
from pathlib import Path

from autoscaler.metrics.settings import PrometheusSettings


def prometheus_settings(arguments: argparse.Namespace) -> PrometheusSettings:
    """Return where Prometheus is and how it wants to be asked."""
    return PrometheusSettings(
        url=arguments.prometheus_url,
        token_file=_path(arguments.prometheus_token_file),
        headers_file=_path(arguments.prometheus_headers_file),
        ca_file=_path(arguments.prometheus_ca_file),
        timeout=arguments.prometheus_timeout,
        scrape_interval=arguments.prometheus_scrape_interval,
        history_url=arguments.prometheus_history_url,
        history_matchers=dict(arguments.prometheus_history_matchers),
        history_cache=_path(arguments.history_cache),
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
