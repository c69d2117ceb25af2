"""Decisions out: records, logs, explain, page."""
