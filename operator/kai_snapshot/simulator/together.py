"""Places the pods of a job with topology constraints: each of its parts, and all of it, within one domain."""

from collections.abc import Callable, Sequence

from kai_snapshot.simulator.changes import Changes
from kai_snapshot.simulator.model import Group, PodSet, Task
from kai_snapshot.simulator.nexttasks import ordered
from kai_snapshot.simulator.nodes import Flags, Floats
from kai_snapshot.simulator.topology import Choice, Domains

PlaceOne = Callable[[Task, Flags, Floats | None], bool]
"""Places a pod on one of some nodes, by how much each is preferred; False if none takes it."""


class Together:
    """Goes down the parts of a job, and tries domain after domain for each."""

    def __init__(self, changes: Changes, domains: Domains, place_one: PlaceOne) -> None:
        self._changes = changes
        self._domains = domains
        self._place_one = place_one

    def place(self, part: Group | PodSet, tasks: Sequence[Task], within: Flags, above: Floats | None = None) -> bool:
        """Whether those of the pods that are of this part all have a place; if not, some may have one."""
        members = {id(task) for each in part.sets() for task in each.tasks}
        own = [task for task in tasks if id(task) in members]
        if not own:
            return True
        mark = self._changes.mark()
        for choice in self._domains.choices(part, own, within):
            if self._in(choice, part, own, above):
                return True
            self._changes.undo(mark)
        return False

    def _in(self, choice: Choice, part: Group | PodSet, tasks: Sequence[Task], above: Floats | None) -> bool:
        preference = above if choice.preference is None else choice.preference
        if isinstance(part, PodSet):
            return all(self._place_one(task, choice.nodes, preference) for task in tasks)
        return all(self.place(child, tasks, choice.nodes, preference) for child in ordered(part.children))
