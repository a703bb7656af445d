"""Snapshots of the KAI Scheduler: captured, checked, kept, and replayed with any version of its snapshot-tool."""

__version__ = "0.1.0"
