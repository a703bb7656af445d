"""The operator in the cluster, as a test stops, starts and crashes it."""

from collections.abc import Iterator
from contextlib import contextmanager

from stage import stage
from stage.kube import Kube
from support.eventually import eventually
from support.objects import Object

SELECTOR = f"app.kubernetes.io/name={stage.OPERATOR},app.kubernetes.io/component=operator"
_SIGNAL = """
for directory in $(grep -slE '{uid}|{uid_}' /proc/[0-9]*/cgroup | xargs -n1 dirname); do
  case "$(cat "$directory/comm" 2>/dev/null)" in
    {programs}) kill -{signal} "${{directory#/proc/}}" 2>/dev/null || : ;;  # it may have ended meanwhile
  esac
done
"""
ACTIVE = "kai-snapshot.io/active=true"


class Operator:
    """The operator's Deployment."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def stop(self) -> None:
        """Ends it in order, and waits until it is gone."""
        self._kube.scale(stage.OPERATOR, stage.NAMESPACE, 0)
        eventually(lambda: not self._pods(), what="the operator is gone")

    def start(self) -> None:
        """Starts it, and waits until it is the active one."""
        self._kube.scale(stage.OPERATOR, stage.NAMESPACE, 1)
        self._kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)

    def crash(self) -> None:
        """Kills its process from the node, as running out of memory would, and waits until the kubelet has seen it."""
        (pod,) = self._pods()
        before = _restarts(pod)
        self._signal(pod, "KILL", "kopf")
        eventually(lambda: _restarts(self._pods()[0]) > before, what="the operator was killed")

    def ready(self) -> None:
        """Waits until it is the active one."""
        self._kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)

    def scale(self, replicas: int) -> None:
        """Has so many replicas, and waits until one acts and the others stand by."""
        self._kube.scale(stage.OPERATOR, stage.NAMESPACE, replicas)
        eventually(lambda: len(self._pods()) == replicas, what=f"{replicas} replicas")
        self._kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)

    def active(self) -> Object | None:
        """The pod that acts, by its label, if it is the only one that says so."""
        found = self._kube.list("pods", stage.NAMESPACE, selector=f"{SELECTOR},{ACTIVE}")
        return found[0] if len(found) == 1 else None

    @contextmanager
    def frozen(self, pod: Object) -> Iterator[None]:
        """The pod's processes stand still, as on a machine that sleeps, and go on afterwards."""
        self._signal(pod, "STOP", "*")
        try:
            yield
        finally:
            self._signal(pod, "CONT", "*")

    def pod_name(self) -> str:
        """Its only pod."""
        (pod,) = self._pods()
        return str(pod["metadata"]["name"])

    def _signal(self, pod: Object, signal: str, programs: str) -> None:
        uid = pod["metadata"]["uid"]
        script = _SIGNAL.format(uid=uid, uid_=uid.replace("-", "_"), programs=programs, signal=signal)
        self._kube.execute("pod/node", stage.STAGE, "sh", "-ec", script)

    def _pods(self) -> list[Object]:
        return self._kube.list("pods", stage.NAMESPACE, selector=SELECTOR)


def _restarts(pod: Object) -> int:
    return sum(int(status["restartCount"]) for status in pod["status"].get("containerStatuses", ()))
