"""What is read of the scheduler's configuration, as a snapshot or a ConfigMap has it.

The scheduler wrote it; what is not in its form is taken for absent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]


def configured_actions(config: Config) -> list[str]:
    """The names of the actions, in their order; the scheduler has them in one string, separated by commas.

    A comma too many makes an empty name, which is kept: for the scheduler it is one of an action that there is not.
    """
    actions = config.get("actions")
    return [name.strip() for name in actions.split(",")] if isinstance(actions, str) and actions.strip() else []


def configured_plugins(config: Config) -> list[str]:
    """The names of the plugins of all tiers, in their order."""
    plugins = (plugin for tier in _objects(config.get("tiers")) for plugin in _objects(tier.get("plugins")))
    return [name for plugin in plugins if isinstance(name := plugin.get("name"), str)]


def wants_usage_history(config: Config) -> bool:
    """Whether fair shares depend on past usage, which the scheduler reads from a database of its own."""
    return bool(config.get("usageDBConfig"))


def _objects(items: object) -> Iterator[Config]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())
