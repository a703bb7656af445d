"""Why each job waits that has pods without a place when a cycle is over, and what would have to be otherwise."""

from kai_snapshot.simulator.reasons.explain import explain

__all__ = ["explain"]
