"""The scheduler's configuration where it comes from: the ConfigMap that its pods mount."""

from typing import Any, Final

import orjson
import yaml

from kai_snapshot.source.api import KubernetesApi

CONFIG_KEY: Final = "config.yaml"


async def read_config(api: KubernetesApi, namespace: str, name: str | None) -> dict[str, Any] | None:
    """The configuration, as a snapshot's `config` has it; None if there is none that can be read.

    Raises SnapshotError: APIUnreachable, Unauthorized, Forbidden.
    """
    config_map = await api.config_map(namespace, name) if name is not None else None
    if config_map is None:
        return None
    try:
        config = yaml.safe_load(config_map.data.get(CONFIG_KEY, ""))
        orjson.dumps(config)
    except (yaml.YAMLError, TypeError):  # YAML has more than JSON: dates as keys, bytes
        return None
    return config if isinstance(config, dict) else None
