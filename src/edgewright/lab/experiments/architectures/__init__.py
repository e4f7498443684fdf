"""Architectures.

Residual paths, cheap convolutions, shuffles, and what depth needs.
"""
