"""Kubernetes: informers, scale, events, lease."""
