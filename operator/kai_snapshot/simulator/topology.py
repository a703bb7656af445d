"""Where pods of a job must stay together: the domains of a topology, such as racks."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kai_snapshot.simulator.model import Job, Task
from kai_snapshot.simulator.nodes import GPU_COLUMN, Flags, Nodes


class Domains:
    """The domains that a job may be placed in."""

    def __init__(self, nodes: Nodes, topologies: Mapping[str, Sequence[str]]) -> None:
        self._nodes = nodes
        self._topologies = topologies
        self._known: dict[tuple[str, str], list[Flags]] = {}

    def of(self, job: Job, tasks: Sequence[Task]) -> Iterator[Flags]:
        """The nodes of each domain that has room for all the pods together, the most used first."""
        assert job.topology is not None
        held = [task.node for task in job.tasks if task.status.active]
        fitting = [
            domain
            for domain in self._level(job.topology.name, job.topology.required)
            if all(domain[node] for node in held) and self._fits(domain, tasks)
        ]
        yield from sorted(fitting, key=self._free_part)

    def _level(self, topology: str, level: str) -> list[Flags]:
        known = self._known.get((topology, level))
        if known is None:
            labels = self._topologies.get(topology, ())
            down_to = labels[: labels.index(level) + 1] if level in labels else ()
            by_name: dict[tuple[str, ...], list[int]] = {}
            for i, facts in enumerate(self._nodes.facts):
                if down_to and all(label in facts.labels for label in down_to):
                    by_name.setdefault(tuple(facts.labels[label] for label in down_to), []).append(i)
            known = self._known[topology, level] = [
                np.isin(np.arange(len(self._nodes.facts)), members) for _, members in sorted(by_name.items())
            ]
        return known

    def _fits(self, domain: Flags, tasks: Sequence[Task]) -> bool:
        room = (self._nodes.idle[domain] + self._nodes.releasing[domain]).sum(axis=0)
        return bool((room >= sum(task.shape.vector for task in tasks)).all())

    def _free_part(self, domain: Flags) -> float:
        offered = float(self._nodes.alloc[domain, GPU_COLUMN].sum())
        free = float((self._nodes.idle[domain, GPU_COLUMN] + self._nodes.releasing[domain, GPU_COLUMN]).sum())
        return free / offered if offered else 0.0
