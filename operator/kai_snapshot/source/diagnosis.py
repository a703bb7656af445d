"""Decides why a scheduler has no snapshot plugin, and says how to switch it on in its version."""

from collections.abc import Mapping
from typing import Any

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.kaiversions import NEWEST, release
from kai_snapshot.source.leader import Target

PLUGIN = "snapshot"
REGISTERED = "Snapshot plugin registering get-snapshot"
"""What the plugin logs at verbosity 3, KAI's default, whenever a session opens."""


def plugin_missing(target: Target, *, config: Mapping[str, Any] | None, log: str | None) -> SnapshotError:
    """Why a leader answers `plugin not found`, from its ConfigMap's configuration and its log; None: not to be had.

    TransientError if the plugin is only just there, else TerminalError; both PluginDisabled.
    """
    what = f"Pod {target.namespace}/{target.pod} has no snapshot plugin"
    configured = config is not None and PLUGIN in plugins(config)
    registered = log is not None and REGISTERED in log
    source = _config_source(target)
    if configured and registered:
        return TransientError(
            Reason.PLUGIN_DISABLED,
            f"{what} yet: {source} names it, the log says `{REGISTERED}`. Try again; restart the pod if it stays so.",
        )
    if configured:
        return TerminalError(
            Reason.PLUGIN_DISABLED,
            f"{what}, although {source} names it: the scheduler reads it at its start only. "
            f"Run `kubectl -n {target.namespace} rollout restart deployment {target.deployment}`.",
        )
    lacking = f", {source} lacks `- name: {PLUGIN}`" if config is not None else ""
    return TerminalError(Reason.PLUGIN_DISABLED, f"{what}{lacking}. {_how_to_enable(target)}")


def plugins(config: Mapping[str, Any]) -> set[str]:
    """The names of all plugins in a scheduler's configuration (`tiers[].plugins[].name`)."""
    return {
        plugin["name"]
        for tier in config.get("tiers") or ()
        for plugin in tier.get("plugins") or ()
        if isinstance(plugin, dict) and isinstance(plugin.get("name"), str)
    }


def _how_to_enable(target: Target) -> str:
    """KAI v0.10 brought an operator that writes the ConfigMap, v0.12.13 and v0.13 a switch for each plugin."""
    version = release(target.version) or NEWEST
    source = _config_source(target)
    restart = f"`kubectl -n {target.namespace} rollout restart deployment {target.deployment}`"
    if version < (0, 10):
        return f"Add `- name: {PLUGIN}` to the plugins in {source}, then run {restart}."
    if version < (0, 12, 13):
        return (
            f"KAI {target.version} switches it on by itself and has no setting for it: see whether somebody edits "
            f"{source}, or upgrade to v0.12.13 or later."
        )
    patch = '{"spec":{"plugins":{"snapshot":{"enabled":true}}}}'
    return (
        f"Switch it on: `kubectl patch schedulingshard {target.shard} --type merge -p '{patch}'`, "
        "or with Helm `--set scheduler.plugins.snapshot.enabled=true` for the default shard."
    )


def _config_source(target: Target) -> str:
    return f"ConfigMap {target.namespace}/{target.config_map}" if target.config_map else "the scheduler's configuration"
