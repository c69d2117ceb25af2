"""Coefficients of the pooled prior, as numbers."""
