"""Metrics.

What a score tells, and what it cannot.
"""
