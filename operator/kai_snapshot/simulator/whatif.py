"""What if: a loaded archive with changes, without reading it again."""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from kai_snapshot.api.preparation import Patch
from kai_snapshot.api.result import SIMULATED
from kai_snapshot.archive.content import PARAMS
from kai_snapshot.archive.patches import KINDS
from kai_snapshot.archive.patching import Patching
from kai_snapshot.archive.prepare import Preparation, configuration
from kai_snapshot.archive.read import incomplete
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.forms import Malformed

EVERY_LIST = frozenset(kind.list for kind in KINDS.values())
"""All that a patch can be for."""


def lists_of(patches: Sequence[Patch]) -> frozenset[str]:
    """The lists that an archive has to be loaded with, for these patches. Raises TerminalError(PatchFailed)."""
    return Patching(patches).lists


def patched(collected: Collected, patches: Sequence[Patch]) -> Collected:
    """What is loaded, with these patches; it is as before itself, and both can be patched again.

    Pods of a node that is taken out wait for a place again. `adaptations` says what was done. The time of the capture
    stays what it was. Raises TerminalError(PatchFailed), as `archive.prepare.prepare` does.
    """
    return prepared(collected, Preparation(config="Verbatim", clock="Verbatim", patches=patches))


def prepared(collected: Collected, wanted: Preparation) -> Collected:
    """What is loaded, as `archive.prepare.prepare` makes an archive ready for the version whose rules are simulated.

    But for the clock, which there is no need to move: a simulation is told what time it is. Raises TerminalError:
    PatchFailed, ConfigNull, IncompleteSnapshot.
    """
    patching = Patching(wanted.patches)
    lists = [name for name in collected.originals if name in patching.lists]
    assert all(name in collected.changeable for name in lists), "the archive was loaded without these lists"
    changed = collected.emptied(lists)
    config, said = configuration(collected.config, replace(wanted, target_version=SIMULATED), patching)
    try:
        changed.configure(config)
        changed.set_params(patching.part(PARAMS, collected.params))
        for name in lists:
            _relist(changed, name, collected, patching)
    except Malformed as error:
        raise _unfit(error, patching) from error
    patching.finish()
    changed.adaptations = (*collected.adaptations, *patching.said, *said)
    return changed


def _relist(changed: Collected, name: str, collected: Collected, patching: Patching) -> None:
    for original in collected.originals[name]:
        if not patching.concerns(name, original.name, original.node):
            changed.again(name, original)
        elif (value := patching.element(name, orjson.loads(original.text))) is not None:
            changed.take(name, value)
    for value in patching.added(name):
        changed.take(name, value)


def _unfit(error: Malformed, patching: Patching) -> TerminalError:
    """What was loaded passed, so it comes of the patches, or of the ConfigMap in place of a null configuration."""
    if not patching.said:
        return incomplete(str(error))
    done = "; ".join(patching.said)
    return TerminalError(Reason.PATCH_FAILED, f"With the patches, {error}. See the types of what they put in: {done}.")
