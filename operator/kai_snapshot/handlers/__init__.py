"""The only place that knows kopf: `kopf run -m kai_snapshot.handlers`. Importing it registers all handlers."""

from kai_snapshot.handlers import events, startup

__all__ = ["events", "startup"]
