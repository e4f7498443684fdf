"""Losses.

Which mistakes a loss sees, and how loudly it says so.
"""
