"""A predictive horizontal autoscaler for Kubernetes: it scales before the load comes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("predictive-autoscaler")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
