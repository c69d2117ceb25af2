"""How many replicas, and why: pure rules over values, no client, no clock, no logging."""
