"""What each command does, one module per command; flags are `autoscaler/cli.py`'s business."""
