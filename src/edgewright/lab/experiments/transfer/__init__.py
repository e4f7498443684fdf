"""Transfer.

What a network that learnt elsewhere brings along.
"""
