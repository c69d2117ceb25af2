"""The forecasters: arrays in, quantiles out; numpy and scikit-learn only, no Kubernetes, no I/O."""
