"""What pods ask of GPUs, for those who want to see them on a node that they are not on yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from kai_snapshot.simulator.nodefacts import UNKNOWN_MEMORY
from kai_snapshot.simulator.request import MIG_NAME
from kai_snapshot.simulator.sharedgpus import portion_of
from kai_snapshot.views.facts import Facts, Pod
from kai_snapshot.views.slots import MOST, SLICES


@dataclass(frozen=True, slots=True)
class Asked:
    """A pod's GPUs."""

    whole: int
    """GPUs that it wants for itself."""
    shared: int
    """GPUs that it takes part of."""
    portion: float
    """What it takes of each of these."""
    device_memory: int
    """The same in MiB, where it asks for memory; else 0."""
    slices: tuple[int, ...]
    """MIG devices, by their slices."""

    def parts(self, gpu_memory_mib: int | None) -> tuple[float, ...]:
        """What it takes of each GPU, where they have so much memory."""
        device = gpu_memory_mib or UNKNOWN_MEMORY
        portion = min(portion_of(self.device_memory, device), 1.0) if self.device_memory else self.portion
        return (*(1.0,) * self.whole, *(portion,) * self.shared, *(each / SLICES for each in self.slices))


def asked(facts: Facts) -> Mapping[str, Asked]:
    """By namespace/name; pods that ask for no GPU are absent."""
    known: dict[tuple[int, int], Asked] = {}  # most pods ask for what others do
    found: dict[str, Asked] = {}
    for pod in facts.pods:
        key = id(pod.shape), sum(claim.count for claim in pod.claims)
        if (each := known.get(key)) is None:
            each = known[key] = _asked(pod, claimed=key[1])
        if (each.whole or each.shared or each.slices) and not pod.holder:
            found[f"{pod.namespace}/{pod.name}"] = each
    return found


def _asked(pod: Pod, *, claimed: int) -> Asked:
    request = pod.shape.request
    return Asked(
        whole=min(claimed if request.shared else request.devices + claimed, MOST),
        shared=min(request.devices, MOST) if request.shared else 0,
        portion=request.portion,
        device_memory=request.device_memory,
        slices=tuple(
            int(mig[1])
            for name, count in pod.mig.items()
            if (mig := MIG_NAME.fullmatch(name))
            for _ in range(min(count, MOST))
        ),
    )
