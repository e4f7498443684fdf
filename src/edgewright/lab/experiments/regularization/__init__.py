"""Regularization.

Why a network that fits less may know more: penalties, priors, dropout, early stopping.
"""
