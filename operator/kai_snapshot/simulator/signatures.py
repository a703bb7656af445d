"""What makes jobs alike, so that where one found no place another that asks for no less need not look."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from kai_snapshot.simulator.model import Group, Job, PodSet, Topology

Vector = tuple[float, ...]


def pod_signature(spec: Mapping[str, Any]) -> tuple[object, ...]:
    """Everything a pod asks for but resources. Two pods that spread by a label selector are never alike."""
    spread = spec.get("topologySpreadConstraints") or []
    if any(each.get("labelSelector") for each in spread):
        spread = [id(spec)]
    volumes = [each for each in spec.get("volumes") or () if "configMap" not in each and "secret" not in each]
    ports = [port.get("hostPort") for each in spec.get("containers") or () for port in each.get("ports") or ()]
    parts = (
        volumes,
        spec.get("nodeSelector"),
        spec.get("affinity"),
        [[each.get(name) for name in ("key", "operator", "value", "effect")] for each in spec.get("tolerations") or ()],
        spec.get("priorityClassName"),
        spec.get("priority"),
        spread,
        ports,
    )
    return (orjson.dumps(parts, option=orjson.OPT_SORT_KEYS),)


def job_signature(job: Job, of_pods: Mapping[str, tuple[object, ...]]) -> tuple[object, ...]:
    """A job's signature, of the pods that hold no place; `of_pods` has those of pods by their UID."""
    sets: list[tuple[object, ...]] = []
    for pod_set, constraints in _constraints(job.root):
        waiting = [task for task in pod_set.tasks if not task.status.active]
        sets.append((constraints, *sorted(of_pods[task.uid] for task in waiting)) if waiting else ("",))
    return tuple(sorted(sets, key=repr))


def _constraints(
    part: Group | PodSet, above: tuple[Topology | None, ...] = ()
) -> Iterator[tuple[PodSet, tuple[Topology | None, ...]]]:
    """Every pod set with its topology constraint and those of what it is part of."""
    own = (*above, part.topology)
    if isinstance(part, PodSet):
        yield part, own
        return
    for child in part.children:
        yield from _constraints(child, own)


class Failures:
    """The easiest job of each signature that found no place."""

    def __init__(self) -> None:
        self._hardest: dict[object, list[Vector]] = {}

    def skips(self, key: object, job: Job) -> bool:
        """Whether a job that was no harder has failed."""
        failed = self._hardest.get(key)
        return failed is not None and not _easier(_pending(job), failed)

    def failed(self, key: object, job: Job) -> None:
        """Remembers a job that failed."""
        own, known = _pending(job), self._hardest.get(key)
        if known is None or (
            len(own) <= len(known) and all(_within(mine, other) for mine, other in zip(own, known, strict=False))
        ):
            self._hardest[key] = own


def _easier(own: Sequence[Vector], failed: Sequence[Vector]) -> bool:
    if len(failed) > len(own):
        return True
    return any(_within(mine, other) and not _within(other, mine) for mine, other in zip(own, failed, strict=False))


def _within(left: Vector, right: Vector) -> bool:
    return all(a <= b for a, b in zip(left, right, strict=True))


def _pending(job: Job) -> list[Vector]:
    return sorted(task.shape.comparable for task in job.tasks if task.status.text == "Pending")
