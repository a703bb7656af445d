"""What a scheduler makes of its arguments and of its ConfigMap: `schedulerParams` and `config` of its snapshot.

Names, defaults and order are those of KAI's cmd/scheduler/app/options, conf and conf_util, v0.17.0. What is false, zero
or empty is absent there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from kai_snapshot import kaiversions

DEFAULT_NODE_POOL_KEY: Final = "kai.scheduler/node-pool"
TRUE: Final = frozenset({"", "1", "t", "true"})
UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
                "h": 3600 * 10**9}  # fmt: skip
"""Nanoseconds, which Go counts in: the micro sign comes in two forms."""
DURATION: Final = re.compile(rf"(\d+(?:\.\d*)?|\.\d+)({'|'.join(sorted(UNITS, key=len, reverse=True))})", re.ASCII)
SEARCH_BUDGETS: Final[Mapping[str, Any]] = {
    "maxActionSearchDuration": {"default": "5m0s"},
    "maxJobSearchDuration": "4m0s",
    "minJobSearchDuration": "0s",
    "maxGeneratorSearchDuration": {"MultiNodeGang": "2m0s", "NodeLocalGreedy": "30s", "default": "2m0s"},
}
"""What the scheduler takes where its ConfigMap says nothing."""


def nanoseconds(text: str) -> int:
    """Of a duration as Go writes it (`1m30s`, `500ms`). Raises ValueError."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if digits == "0":
        return 0
    parts = DURATION.findall(digits)
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        raise ValueError(f"not a duration: {text[:40]!r}")
    return sign * sum(round(float(number) * UNITS[unit]) for number, unit in parts)


class _Param(NamedTuple):
    name: str
    flag: str
    default: object
    read: Callable[[str], object]


def _flag_is_true(text: str) -> bool:
    return text.lower() in TRUE


BEFORE_PARTITION: Final = (
    _Param("schedulerName", "scheduler-name", "kai-scheduler", str),
    _Param("restrictSchedulingNodes", "restrict-node-scheduling", False, _flag_is_true),
)
BEHIND_PARTITION: Final = (
    _Param("maxNumberConsolidationPreemptees", "max-consolidation-preemptees", 16, int),
    _Param("scheduleCSIStorage", "schedule-csi-storage", False, _flag_is_true),
    _Param("useSchedulingSignatures", "use-scheduling-signatures", True, _flag_is_true),
    _Param("fullHierarchyFairness", "full-hierarchy-fairness", True, _flag_is_true),
    _Param("allowConsolidatingReclaim", "allow-consolidating-reclaim", True, _flag_is_true),
    _Param("numOfStatusRecordingWorkers", "num-of-status-recording-workers", 5, int),
    _Param("globalDefaultStalenessGracePeriod", "default-staleness-grace-period", nanoseconds("60s"), nanoseconds),
    _Param("schedulePeriod", "schedule-period", nanoseconds("1s"), nanoseconds),
    _Param("stuckInReleasingThreshold", "stuck-in-releasing-threshold", nanoseconds("2m"), nanoseconds),
    _Param("detailedFitErrors", "detailed-fit-errors", False, _flag_is_true),
    _Param("updatePodEvictionCondition", "update-pod-eviction-condition", False, _flag_is_true),
    _Param("queueLabelKey", "queue-label-key", "kai.scheduler/queue", str),
)


def scheduler_params(flags: Mapping[str, str]) -> dict[str, object]:
    """The member `schedulerParams` of a scheduler with these arguments. What it could not read is as by default."""
    key, value = node_pool(flags)
    return {
        **_params(BEFORE_PARTITION, flags),
        "partitionParams": {"NodePoolLabelKey": key, "NodePoolLabelValue": value},
        **_params(BEHIND_PARTITION, flags),
    }


def node_pool(flags: Mapping[str, str]) -> tuple[str, str]:
    """The label that nodes, queues and pod groups of the shard have, and its value; empty: those without it."""
    return flags.get("nodepool-label-key", DEFAULT_NODE_POOL_KEY), flags.get("partition-label-value", "")


def node_pool_selector(flags: Mapping[str, str]) -> str:
    """The same as a label selector; empty for all."""
    key, value = node_pool(flags)
    if not key:
        return ""
    return f"{key}={value}" if value else f"!{key}"


def complete_config(config: Mapping[str, Any], version: str | None) -> dict[str, Any] | None:
    """The configuration of a ConfigMap as the scheduler has it; None if it says neither what to do nor with what."""
    if not config.get("actions") or not config.get("tiers"):
        return None
    if not kaiversions.has_search_budgets(version):
        return dict(config)
    return {**config, "scenarioSearchBudgets": _filled(SEARCH_BUDGETS, config.get("scenarioSearchBudgets"))}


def _filled(defaults: Mapping[str, Any], said: object) -> dict[str, Any]:
    """What is said, and the default of what is not; for what is not in its form too, at every depth."""
    known = said if isinstance(said, Mapping) else {}
    nested = {key: _filled(value, known.get(key)) for key, value in defaults.items() if isinstance(value, Mapping)}
    return {**defaults, **known, **nested}


def _params(wanted: tuple[_Param, ...], flags: Mapping[str, str]) -> dict[str, object]:
    read = ((param.name, _read(param, flags)) for param in wanted)
    return {name: value for name, value in read if value}


def _read(param: _Param, flags: Mapping[str, str]) -> object:
    if param.flag not in flags:
        return param.default
    try:
        return param.read(flags[param.flag])
    except ValueError:
        return param.default
