"""What no cycle may break, found out from the objects and the result alone: it knows nothing of the simulator's code.

Each rule gives its name for every place where it is broken. It reads what `support.varied` writes, no more.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kai_snapshot.api.result import JobOutcome, ReplayResult
from support.clusters import Object

SLACK = 1e-6
MIG_PREFIX = "nvidia.com/mig-"


class After:
    """A cluster, and what a cycle made of it."""

    def __init__(self, document: Object, result: ReplayResult) -> None:
        raw = document["rawObjects"]
        self.pods = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in raw["pods"]}
        self.nodes = {each["metadata"]["name"]: each for each in raw["nodes"]}
        self.groups = {each["metadata"]["name"]: each for each in raw["podGroups"]}
        self.queues = {each["metadata"]["name"]: each["spec"] for each in raw["queues"]}
        self.classes = {each["metadata"]["name"]: each["value"] for each in raw["priorityClasses"]}
        self.result = result
        self.bound = {each.pod: each.node for each in result.placements}
        self.pipelined = {each.pod: str(each.node) for each in result.pipelined}
        self.evicted = {each.pod for each in result.evictions}
        binding = {
            f"{each['metadata']['namespace']}/{each['spec']['podName']}": each["spec"] for each in raw["bindRequests"]
        }
        self.before = {name: spec["selectedNode"] for name, spec in binding.items()}
        self.before |= {name: pod["spec"]["nodeName"] for name, pod in self.pods.items() if "nodeName" in pod["spec"]}
        self.leaving = {name for name in self.before if "deletionTimestamp" in self.pods[name]["metadata"]}
        self.gpu_groups = {name: tuple(spec.get("selectedGPUGroups", ())) for name, spec in binding.items()}
        self.gpu_groups |= {name: _labelled(self.pods[name]) for name in self.before if name not in binding}
        self.gpu_groups |= {each.pod: each.gpu_groups for each in result.placements}
        self.kept = self.before.keys() - self.leaving - self.evicted
        self.new = {**self.pipelined, **self.bound}

    def job(self, pod: str) -> str:
        return str(self.pods[pod]["metadata"]["annotations"]["pod-group-name"])

    def spec(self, job: str) -> Any:
        return self.groups[job]["spec"]

    def priority(self, job: str) -> int:
        return int(self.classes[self.spec(job)["priorityClassName"]])

    def preemptible(self, job: str) -> bool:
        said = self.spec(job).get("preemptibility")
        return said == "preemptible" if said else self.priority(job) < 100

    def above(self, job: str) -> Iterator[str]:
        name = self.spec(job)["queue"]
        while name:
            yield name
            name = self.queues[name].get("parentQueue")

    def asked(self, pod: str) -> dict[str, float]:
        return amounts(self.pods[pod]["spec"]["containers"][0]["resources"]["requests"])

    def part(self, pod: str, node: str) -> float:
        """What part of each of its GPUs a pod takes."""
        annotations = self.pods[pod]["metadata"]["annotations"]
        if "gpu-memory" in annotations:
            return int(annotations["gpu-memory"]) / int(self.nodes[node]["metadata"]["labels"]["nvidia.com/gpu.memory"])
        return float(annotations.get("gpu-fraction", 0))

    def by_subgroup(self, pods: Iterable[str]) -> Counter[str]:
        return Counter(_subgroup(self.pods[pod]) for pod in pods)

    def counted(self, pod: str, node: str) -> dict[str, float]:
        """What a pod on that node counts in its queues."""
        asked, annotations = self.asked(pod), self.pods[pod]["metadata"]["annotations"]
        mig = sum(int(name[len(MIG_PREFIX)]) * amount for name, amount in asked.items() if name.startswith(MIG_PREFIX))
        shared = self.part(pod, node) * int(annotations.get("gpu-fraction-num-devices", 1))
        whole = 0.0 if shared else asked.get("nvidia.com/gpu", 0.0)
        return {"gpu": whole + mig + shared, "cpu": asked["cpu"] * 1000, "memory": asked["memory"] / 1e6}


def broken(document: Object, result: ReplayResult) -> set[str]:
    """The names of the rules that are broken."""
    after = After(document, result)
    return {name for name, rule in RULES.items() for _ in rule(after)}


def ready(after: After) -> Iterator[str]:
    """Nobody goes to a node that takes no pods."""
    for pod, node in after.new.items():
        conditions = after.nodes[node]["status"]["conditions"]
        if after.nodes[node]["spec"].get("unschedulable") or any(each["status"] != "True" for each in conditions):
            yield pod


def selected(after: After) -> Iterator[str]:
    """Selector and required affinity of a pod hold where it goes."""
    for pod, node in after.new.items():
        spec, labels = after.pods[pod]["spec"], after.nodes[node]["metadata"]["labels"]
        if any(labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
            yield pod
        terms = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
        for term in terms["nodeSelectorTerms"] if terms else ():
            for each in term["matchExpressions"]:
                value, values = labels.get(each["key"]), each["values"]
                holds = {
                    "In": lambda value=value, values=values: value in values,
                    "NotIn": lambda value=value, values=values: value not in values,
                    "Gt": lambda value=value, values=values: int(value) > int(values[0]),
                    "Lt": lambda value=value, values=values: int(value) < int(values[0]),
                }
                if not holds[each["operator"]]():
                    yield pod


def tolerated(after: After) -> Iterator[str]:
    """A pod stands the taints of the node it goes to."""
    for pod, node in after.new.items():
        for taint in after.nodes[node]["spec"].get("taints", ()):
            tolerations = after.pods[pod]["spec"].get("tolerations", ())
            if taint["effect"] != "PreferNoSchedule" and all(each["key"] != taint["key"] for each in tolerations):
                yield pod


def capacity(after: After) -> Iterator[str]:
    """What is bound fits beside all that is there, and does not count on anybody who is to leave."""
    return _too_full(after, {**after.before, **after.bound})


def room_in_the_end(after: After) -> Iterator[str]:
    """What waits fits once those who leave have left; where pods move KAI itself counts some twice."""
    if not after.evicted & after.pipelined.keys():
        there = {pod: node for pod, node in after.before.items() if pod in after.kept}
        stays = {pod: node for pod, node in after.bound.items() if pod not in after.evicted}
        whole = {pod: node for pod, node in after.pipelined.items() if not after.part(pod, node)}
        return _too_full(after, {**there, **stays, **whole})
    return iter(())


def _too_full(after: After, places: dict[str, str]) -> Iterator[str]:
    used: defaultdict[str, Counter[str]] = defaultdict(Counter)
    parts: defaultdict[tuple[str, str], float] = defaultdict(float)
    for pod, node in places.items():
        part = after.part(pod, node)
        for name, amount in after.asked(pod).items():
            if not (part and name == "nvidia.com/gpu"):
                used[node][name] += amount  # type: ignore[assignment]
        used[node]["pods"] += 1
        for group in after.gpu_groups.get(pod, ()) if part else ():
            parts[node, group] += part
    for (node, group), part in parts.items():
        used[node]["nvidia.com/gpu"] += 1
        if part > 1 + SLACK:
            yield f"{group} on {node}"
    for node, taken in used.items():
        offered = amounts(after.nodes[node]["status"]["allocatable"])
        for name, amount in taken.items():
            if amount > offered.get(name, 0.0) + SLACK:
                yield f"{name} of {node}"


def shared_gpus(after: After) -> Iterator[str]:
    """A pod that asks for parts of GPUs gets as many as it asks for, and no other gets one."""
    for pod in after.bound:
        annotations = after.pods[pod]["metadata"]["annotations"]
        shares = "gpu-fraction" in annotations or "gpu-memory" in annotations
        if len(set(after.gpu_groups[pod])) != (int(annotations.get("gpu-fraction-num-devices", 1)) if shares else 0):
            yield pod


def gangs(after: After) -> Iterator[str]:
    """A job with a new place has what must run together; if some of that waits, all that is new waits."""
    for job in {after.job(pod) for pod in after.new.keys() - after.evicted}:
        if any(after.job(pod) == job for pod in after.evicted):
            continue
        members = {pod for pod in after.pods if after.job(pod) == job}
        there, may_run = members & (after.kept | after.new.keys()), members - after.leaving
        if not _together(after.spec(job), after.by_subgroup(there), after.by_subgroup(may_run)):
            yield job


def starts_together(after: After) -> Iterator[str]:
    """No pod starts while others wait that must run with it, of the same part of its job."""
    for job in {after.job(pod) for pod in after.bound}:
        for name, least in _minimums(after.spec(job)).items():
            own = {pod for pod in after.pods if after.job(pod) == job and _subgroup(after.pods[pod]) == name}
            waits = own & after.pipelined.keys() - after.evicted
            if waits and own & after.bound.keys() and len(own & (after.kept | after.bound.keys())) < least:
                yield job


def limits(after: After) -> Iterator[str]:
    """No queue has more than its limit after it got something."""
    yield from _over(after, "limit", only_held=False)


def quotas(after: After) -> Iterator[str]:
    """Jobs that cannot be evicted have no more than the quota after one of them got something."""
    yield from _over(after, "quota", only_held=True)


def _over(after: After, bound: str, *, only_held: bool) -> Iterator[str]:
    if after.evicted - after.before.keys():  # KAI itself loses count of who was given a place and lost it again
        return
    miscounted = {*_counted_twice(after), *_evicted_in_vain(after)}
    used: defaultdict[str, Counter[str]] = defaultdict(Counter)
    grown: set[tuple[str, str]] = set()
    places = {pod: node for pod, node in after.before.items() if pod in after.kept} | after.new
    for pod, node in places.items():
        job = after.job(pod)
        if only_held and after.preemptible(job):
            continue
        for queue in after.above(job):
            for name, amount in after.counted(pod, node).items():
                used[queue][name] += amount  # type: ignore[assignment]
                if pod in after.new and pod not in after.evicted and amount:
                    grown.add((queue, name))
    for queue, name in grown:
        most = after.queues[queue]["resources"][name][bound]
        if most != -1 and used[queue][name] > most + SLACK and queue not in miscounted:
            yield f"{name} of {queue}"


def _evicted_in_vain(after: After) -> Iterator[str]:
    """The queues above jobs for which somebody is evicted who has been evicted and moved in an earlier action.

    That fails, for it has been done; KAI goes on as if it had not, so that both are there. No result tells of it.
    """
    moved = {each.pod: (each.preemptor or "").partition("/")[2] for each in after.result.evictions}
    moved = {pod: taker for pod, taker in moved.items() if pod in after.pipelined}
    for each in after.result.pod_groups:
        taker = each.name.partition("/")[2]
        if each.outcome in (JobOutcome.PREEMPTED, JobOutcome.RECLAIMED) and set(moved.values()) - {taker}:
            yield from after.above(taker)


def _counted_twice(after: After) -> Iterator[str]:
    """The queues above elastic jobs that give pods to a job of several: KAI may count such a victim twice.

    Where it looks for places for one pod more, it evicts again, of the same job, who was found before.
    """
    comes = Counter(after.job(pod) for pod in after.new)
    for each in after.result.evictions:
        job, taker = after.job(each.pod), (each.preemptor or "").partition("/")[2]
        sizes = after.by_subgroup(pod for pod in after.pods if after.job(pod) == job)
        if comes[taker] > 1 and any(sizes[name] > least for name, least in _minimums(after.spec(job)).items()):
            yield from after.above(job)


def preemptible(after: After) -> Iterator[str]:
    """Nobody is evicted for another who cannot be."""
    for each in after.result.evictions:
        if each.action != "stalegangeviction" and not after.preemptible(after.job(each.pod)):
            yield each.pod


def who_takes(after: After) -> Iterator[str]:
    """`preempt` takes from lower priorities of the same queue, `reclaim` from other queues."""
    jobs = {f"{each['metadata']['namespace']}/{name}": name for name, each in after.groups.items()}
    for each in after.result.evictions:
        if each.preemptor is None:
            continue
        victim, taker = after.job(each.pod), jobs[each.preemptor]
        same = after.spec(victim)["queue"] == after.spec(taker)["queue"]
        if each.action == "preempt" and not (same and after.priority(victim) < after.priority(taker)):
            yield each.pod
        if each.action == "reclaim" and same:
            yield each.pod


def once(after: After) -> Iterator[str]:
    """Only who waits is bound, once, and only who is there, or is to come, is evicted."""
    counts = Counter(each.pod for each in after.result.placements)
    yield from (pod for pod, count in counts.items() if count > 1 or pod in after.before)
    yield from (pod for pod in after.evicted if pod not in {**after.before, **after.new} or pod in after.leaving)


RULES: dict[str, Callable[[After], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        ready, selected, tolerated, capacity, room_in_the_end, shared_gpus, gangs, starts_together, limits, quotas,
        preemptible, who_takes, once,
    )
}  # fmt: skip


def amounts(listed: dict[str, str]) -> dict[str, float]:
    """Quantities as numbers: cores, bytes, pieces."""
    units = {"m": 1e-3, "Gi": 2.0**30}
    found = {}
    for name, text in listed.items():
        unit = next((unit for unit in units if text.endswith(unit)), "")
        found[name] = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    return found


def _labelled(pod: Object) -> tuple[str, ...]:
    labels = pod["metadata"].get("labels", {})
    first = labels.get("runai-gpu-group")
    more = {value for name, value in labels.items() if name.startswith("runai-gpu-group/")}
    return tuple(sorted({first, *more})) if first else ()


def _subgroup(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get("kai.scheduler/subgroup-name", ""))


def _minimums(spec: Object) -> dict[str, int]:
    """How many pods of each pod set must run together."""
    parents = {each.get("parent") for each in spec.get("subGroups", ())}
    listed = {
        each["name"]: each.get("minMember", 0) for each in spec.get("subGroups", ()) if each["name"] not in parents
    }
    return listed or {"": max(spec.get("minMember", 1), 1)}


def _together(spec: Object, count: Counter[str], may_run: Counter[str]) -> bool:
    """Whether so many pods of each pod set are what must run together.

    Where a group needs some of its parts only, KAI begins with the first ones by name; of one that has too few pods,
    which others make up for, it places those that there are.
    """
    minimums = _minimums(spec)
    listed = spec.get("subGroups", ())
    if not listed:
        return count[""] >= minimums[""]

    def enough(name: str, least: int | None, *, all_needed: bool) -> bool:
        below = [each for each in listed if each.get("parent", "") == name]
        if not below:
            fewest = minimums[name] if all_needed else min(minimums[name], max(may_run[name], 1))
            return count[name] >= fewest
        wanted = len(below) if least is None else least
        all_needed = all_needed and wanted == len(below)
        return sum(enough(each["name"], each.get("minSubGroup"), all_needed=all_needed) for each in below) >= wanted

    return enough("", spec.get("minSubGroup"), all_needed=True)
