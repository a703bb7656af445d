"""Reads what a scheduler's container says of itself: arguments, image, configuration; the same from v0.6 to v0.17."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from kai_snapshot.source.objects import Container, PodSpec

DEFAULT_PORT = 8081
DEFAULT_SCHEDULER_NAME = "kai-scheduler"
DEFAULT_NAMESPACE = "kai-scheduler"


@dataclass(frozen=True, kw_only=True)
class SchedulerFlags:
    """The arguments of a scheduler that matter here, with KAI's defaults."""

    config_file: str
    port: int
    scheduler_name: str
    namespace: str
    partition: str
    elects: bool

    @property
    def lease(self) -> str:
        """The name of the Lease by which the replicas elect their leader."""
        return f"{self.scheduler_name}-{self.partition}" if self.partition else self.scheduler_name


def is_scheduler(pod: PodSpec) -> bool:
    """Whether a pod runs a KAI scheduler: of all its programs only the scheduler has that flag, in every version."""
    return any("scheduler-conf" in parse_flags(words(container)) for container in pod.containers)


def scheduler_container(pod: PodSpec) -> Container:
    """The container with the scheduler among sidecars that others may have put in; the first if none looks like it."""
    return next((c for c in pod.containers if "scheduler-conf" in parse_flags(words(c))), pod.containers[0])


def read_flags(container: Container) -> SchedulerFlags:
    """The arguments that matter here, with the names and defaults of KAI's cmd/scheduler/app/options."""
    flags = parse_flags(words(container))
    port = flags.get("plugin-server-port", "")
    return SchedulerFlags(
        config_file=flags.get("scheduler-conf", ""),
        port=int(port) if re.fullmatch(r"[0-9]{1,5}", port) else DEFAULT_PORT,
        scheduler_name=flags.get("scheduler-name", DEFAULT_SCHEDULER_NAME),
        namespace=flags.get("namespace", DEFAULT_NAMESPACE),
        partition=flags.get("partition-label-value", ""),
        elects=flags.get("leader-elect", "false").lower() in ("", "1", "t", "true"),
    )


def parse_flags(words: Sequence[str]) -> Mapping[str, str]:
    """Go's long flags: `--name=value`, `--name value`, and `--name` alone, with an empty value. The last one counts."""
    flags: dict[str, str] = {}
    for word, following in zip_longest(words, words[1:], fillvalue="--"):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name:
            flags[name] = value if equals or following.startswith("-") else following
    return flags


def image_tag(image: str) -> str | None:
    """`v0.17.0` of `registry:5000/scheduler:v0.17.0@sha256:..`; None if there is no tag."""
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return tag if colon else None


def words(container: Container) -> Sequence[str]:
    """What the container is started with."""
    return [*container.command, *container.args]


def config_map(pod: PodSpec, container: Container, config_file: str) -> str | None:
    mounted = {
        mount.name
        for mount in container.volume_mounts
        if f"{config_file}/".startswith(mount.mount_path.rstrip("/") + "/")
    }
    return next((v.config_map.name for v in pod.volumes if v.config_map is not None and v.name in mounted), None)
