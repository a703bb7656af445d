"""Straight lines: each module is one thing that is done from one end to the other."""
