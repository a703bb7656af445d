"""The hand on the node: it stops, kills and lets go on what runs there, as `comm` names it."""

from stage import stage
from stage.kube import Kube

_EACH = """for each in /proc/[0-9]*/comm; do [ "$(cat "$each" 2>/dev/null)" != {name} ] || {{
  each=${{each%/comm}}; kill -{signal} "${{each#/proc/}}"; }}; done"""


def kill(kube: Kube, name: str) -> None:
    """Kills every process of that name."""
    _do(kube, _EACH.format(name=name, signal="KILL"))


def pause(kube: Kube, name: str, seconds: int) -> None:
    """Stops every process of that name, which lets go on by itself: this returns before."""
    stopped, goes_on = (_EACH.format(name=name, signal=signal) for signal in ("STOP", "CONT"))
    _do(kube, f"setsid sh -c '{stopped}; sleep {seconds}; {goes_on}' >/dev/null 2>&1 </dev/null &")


def _do(kube: Kube, script: str) -> None:
    kube.execute("pod/node", stage.STAGE, "sh", "-c", script)
