"""The forecasters: arrays in, quantiles out; numpy only, no Kubernetes, no I/O."""
