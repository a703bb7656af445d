"""The scheduler's configuration in a snapshot: what a newer version's tool needs added to it."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.kaiversions import PLUGIN_ORDER

Config = dict[str, Any]
T = TypeVar("T")
Nullable = Annotated[list[T], BeforeValidator(lambda value: value or [])]  # Go writes an empty list as null


class _Part(BaseModel):
    """What is not named here is kept as it is."""

    model_config = ConfigDict(extra="allow")


class _Plugin(_Part):
    name: str


class _Tier(_Part):
    plugins: Nullable[_Plugin] = []


class _Configuration(_Part):
    tiers: Nullable[_Tier] = []


def with_plugins(config: Config, names: Sequence[str]) -> tuple[Config, list[str]]:
    """The configuration with those of the plugins that it lacks, and their names.

    Each is put behind the last plugin that runs before it by default. Raises TerminalError (IncompleteSnapshot).
    """
    try:
        changed = _Configuration.model_validate(config)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise TerminalError(
            Reason.INCOMPLETE_SNAPSHOT,
            f"The snapshot's configuration cannot be read at `{where}`: replay it with `config: Verbatim`.",
        ) from error
    present = {plugin.name for tier in changed.tiers for plugin in tier.plugins}
    added = [name for name in names if name not in present]
    for name in added:
        _insert(changed, name)
    return (changed.model_dump() if added else config), added


def _insert(config: _Configuration, name: str) -> None:
    before = PLUGIN_ORDER[: PLUGIN_ORDER.index(name)]
    for tier in reversed(config.tiers):
        positions = [position for position, plugin in enumerate(tier.plugins, 1) if plugin.name in before]
        if positions:
            tier.plugins.insert(positions[-1], _Plugin(name=name))
            return
    config.tiers.insert(0, _Tier(plugins=[_Plugin(name=name)]))
