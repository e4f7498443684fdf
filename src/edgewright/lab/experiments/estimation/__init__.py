"""Estimators.

What a number computed from few data says about the world behind them: bias, variance, likelihood, priors.
"""
