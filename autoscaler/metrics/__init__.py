"""Load in: Prometheus, named sources, history arrays with gaps."""
