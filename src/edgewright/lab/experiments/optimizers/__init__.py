"""Optimizers.

How steps are chosen: momentum, adaptive rates, schedules, and when each of them pays.
"""
