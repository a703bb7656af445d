"""Findings about the scheduler's configuration: what a version does not know of it, and what it wants beyond it."""

from collections.abc import Iterable, Iterator
from typing import Literal

from kai_snapshot import kaiversions
from kai_snapshot.api.compatibility import Code, Finding
from kai_snapshot.compatibility.facts import SnapshotFacts

Mode = Literal["TargetDefaults", "Verbatim"]
NEED_GENERATORS = frozenset(("consolidation", "reclaim", "preempt"))


def findings(facts: SnapshotFacts, target: str, mode: Mode) -> Iterator[Finding]:
    """About the configuration that the tool of `target` will get."""
    if facts.config == "Null" or (facts.config == "Healed" and mode == "Verbatim"):
        yield _null(facts)
        return
    if facts.config == "Healed":
        yield Finding.of(
            Code.CONFIG_HEALED,
            "The configuration of the scheduler's ConfigMap is put in where the snapshot says null.",
        )
    if not kaiversions.within(target, kaiversions.SESSION_HAS_CONFIG):
        yield Finding.of(
            Code.NO_CONFIGURATION,
            f"The tool of {target} opens its session without the snapshot's configuration, and so without any plugin: "
            "its decisions are not those of a scheduler; take v0.6.0 or later.",
        )
        return
    yield from _actions(facts, target)
    yield from _new_defaults(facts, target, mode)
    yield from _unknown_plugins(facts, target)
    if facts.configuration is not None and facts.configuration.wants_usage_history:
        yield Finding.of(
            Code.NO_USAGE_HISTORY,
            "The configuration has a `usageDBConfig`, but no snapshot holds past usage: fair shares are computed as if "
            "no queue had used anything before.",
        )


def _null(facts: SnapshotFacts) -> Finding:
    remedy = (
        "capture it again"
        if facts.config == "Null"
        else "its manifest has the ConfigMap's, which `config: TargetDefaults` puts in"
    )
    return Finding.of(Code.CONFIG_NULL, f'The snapshot says `"config": null`, on which the tool panics: {remedy}.')


def _actions(facts: SnapshotFacts, target: str) -> Iterator[Finding]:
    if facts.configuration is None:
        return
    actions = facts.configuration.actions
    unknown = [name or '""' for name in actions if not kaiversions.has_action(target, name)]
    if unknown or not actions:
        what = f"{_names('the action', unknown)}, which {target} does not have" if unknown else "no action"
        yield Finding.of(
            Code.UNKNOWN_ACTION,
            f"The configuration names {what}: the tool then runs none at all, and exits 0; put `actions` right with a "
            "patch of Config.",
        )
    if "reclaim" in actions and kaiversions.within(target, kaiversions.STALLS_IN_RECLAIM):
        yield Finding.of(
            Code.SLOW_RECLAIM,
            f"Reclaim at {target} may not end on a large cluster (upstream issue 1660): activeDeadlineSeconds ends it, "
            "and what was done before is kept.",
        )


def _new_defaults(facts: SnapshotFacts, target: str, mode: Mode) -> Iterator[Finding]:
    """Plugins that a scheduler of that version would have had, and this archive's does not."""
    new = kaiversions.new_default_plugins(facts.version, target)
    known = facts.configuration
    if known is not None:
        missing = [name for name in new if name not in known.plugins]
    elif kaiversions.release(facts.version) is not None:
        missing = list(new)
    else:
        return
    if not missing:
        return
    if mode == "TargetDefaults":
        yield Finding.of(
            Code.PLUGINS_ADDED, f"{_names('The plugin', missing)}, which {target} has by default, will be added."
        )
        return
    if _finds_no_victims(facts, target, missing):
        yield Finding.of(
            Code.MISSING_GENERATORS,
            f"The configuration has neither of {' and '.join(kaiversions.SCENARIO_GENERATORS)}, without which {target} "
            "finds nothing to reclaim, preempt or consolidate: replay it with `config: TargetDefaults`.",
        )
        missing = [name for name in missing if name not in kaiversions.SCENARIO_GENERATORS]
    if missing:
        yield Finding.of(
            Code.PLUGINS_MISSING,
            f"The configuration lacks {_names('the plugin', missing)}, which {target} has by default: an upgraded "
            "scheduler would have it, and `config: TargetDefaults` adds it.",
        )


def _finds_no_victims(facts: SnapshotFacts, target: str, missing: list[str]) -> bool:
    generators = [name for name in kaiversions.SCENARIO_GENERATORS if kaiversions.has_plugin(target, name)]
    wanted = facts.configuration is None or not NEED_GENERATORS.isdisjoint(facts.configuration.actions)
    return wanted and bool(generators) and set(generators) <= set(missing)


def _unknown_plugins(facts: SnapshotFacts, target: str) -> Iterator[Finding]:
    plugins = facts.configuration.plugins if facts.configuration is not None else ()
    unknown = [name for name in plugins if not kaiversions.has_plugin(target, name)]
    if unknown:
        yield Finding.of(
            Code.UNKNOWN_PLUGIN,
            f"{target} does not have {_names('the plugin', unknown)} of the configuration and does without: its log "
            "says `Failed to get plugin`, which is no fault of that version.",
        )


def _names(noun: str, names: Iterable[str]) -> str:
    """`the plugin a`, or `the plugins a, b`."""
    names = list(names)
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"
