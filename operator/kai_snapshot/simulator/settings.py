"""How the scheduler is set up, as the archive's configuration and parameters say."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from kai_snapshot.api.schedulerconfig import configured_actions
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator.budget import limits
from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.model import Settings

ACTIONS = ("allocate", "consolidation", "reclaim", "preempt", "stalegangeviction")
_STUCK_AFTER = timedelta(minutes=2)


def settings(config: Mapping[str, Any] | None, params: Mapping[str, Any]) -> Settings:
    """The settings. Raises TerminalError(ConfigNull) where the archive has no configuration."""
    if config is None:
        raise TerminalError(
            Reason.CONFIG_NULL,
            "The archive says `config: null`, so it is not known what the scheduler was told to do; "
            "capture again from the leader.",
        )
    return Settings(
        actions=tuple(configured_actions(config)),
        plugins=dict(_plugins(config)),
        scheduler_name=params.get("schedulerName") or "kai-scheduler",
        signatures=bool(params.get("useSchedulingSignatures")),
        consolidation_victims=int(params.get("maxNumberConsolidationPreemptees") or 0),
        stale_grace=duration(params.get("globalDefaultStalenessGracePeriod")) or timedelta(0),
        consolidating_reclaim=bool(params.get("allowConsolidatingReclaim")),
        depth={str(name): int(depth) for name, depth in (config.get("queueDepthPerAction") or {}).items()},
        search=limits(config.get("scenarioSearchBudgets") or {}),
    )


def stuck_after(params: Mapping[str, Any]) -> timedelta:
    """How long a pod may take to end before nobody waits for its resources any more."""
    return duration(params.get("stuckInReleasingThreshold")) or _STUCK_AFTER


def _plugins(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for tier in config.get("tiers") or ():
        for plugin in tier.get("plugins") or ():
            yield plugin["name"], {str(key): str(value) for key, value in (plugin.get("arguments") or {}).items()}
