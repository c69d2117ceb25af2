"""Worlds without a cluster: recorded load, simulated pods, baselines, scores."""
