"""Pose.

Heat maps, coordinates and people in a crowd.
"""
