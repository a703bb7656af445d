"""How long a replay's Job takes around the tool itself: what the cluster does, fetch, prepare, read the log, store.

Measured from the creation of the Job to its completion, as a watch tells of them, with the images on the node. What the
stand-in for the tool takes when it is run by itself is taken off.
"""

import os
import statistics
import subprocess
import tempfile
import time

from bench.scene import CLUSTER, Scene
from stage import images, stage
from stage.kube import Kube, KubectlError
from support import recordings
from support.archives import InBucket
from support.objects import Object, replay
from support.seeds import upload

ROUNDS = 5
VERSION = "v0.17.0"
_STATE = r'{.metadata.name} {.status.conditions[?(@.status=="True")].type}{"\n"}'


def measure(scene: Scene, report: images.Report) -> tuple[float, float]:
    """Medians in seconds: of what a Job takes around the tool, and of the tool by itself."""
    players = stage.cast()
    stage.set_up(scene.kube, CLUSTER, players, report)
    image = next(tool for tool in players.tools if tool.version == VERSION).reference
    with stage.s3(scene.kube) as client:
        source = upload(InBucket(client, "bench/replay"), stage.ARCHIVE)
    versions: list[str | Object] = [{"name": f"round-{number}", "image": image} for number in range(ROUNDS + 1)]
    jobs = _seconds(scene.kube, replay("bench", of=source, versions=versions, repetitions=1))[1:]  # the first warms up
    tool = statistics.median(_by_itself() for _ in range(ROUNDS))
    report(f"a replay Job: seconds {' '.join(f'{each:.2f}' for each in jobs)}; the tool by itself {tool:.2f}")
    return statistics.median(jobs) - tool, tool


def _seconds(kube: Kube, obj: Object) -> list[float]:
    """What the Job of each version took, one after the other."""
    created: dict[str, float] = {}
    completed: dict[str, float] = {}
    selector = f"kai-snapshot.io/replay={obj['metadata']['name']}"
    with kube.watch("jobs", stage.NAMESPACE, selector=selector, state=_STATE) as states:
        kube.create(obj)
        for state in states:
            name, *conditions = state.split()
            created.setdefault(name, time.perf_counter())
            if "Failed" in conditions:
                raise KubectlError(f"the Job {name} failed")
            if "Complete" in conditions:
                completed.setdefault(name, time.perf_counter())
            if len(completed) == len(obj["spec"]["versions"]):
                break
    return [completed[name] - start for name, start in created.items()]


def _by_itself() -> float:
    """The stand-in on the same archive, without a cluster."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as archive:
        archive.write(recordings.content(stage.ARCHIVE))
        archive.flush()
        start = time.perf_counter()
        subprocess.run(
            [images.STANDINS / "snapshot-tool" / "app", f"--filename={archive.name}"],
            env=os.environ | {"STANDIN_VERSION": VERSION, "STANDIN_RECORDINGS": str(images.CORPUS)},
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - start
