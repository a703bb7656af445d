"""The operator in the cluster, as a test stops, starts and crashes it."""

from stage import stage
from stage.kube import Kube
from support.eventually import eventually
from support.objects import Object

SELECTOR = f"app.kubernetes.io/name={stage.OPERATOR},app.kubernetes.io/component=operator"
_KILL = """
for directory in $(grep -lE '{uid}|{uid_}' /proc/[0-9]*/cgroup | xargs -n1 dirname); do
  if [ "$(cat "$directory/comm")" = kopf ]; then kill -KILL "${{directory#/proc/}}"; fi
done
"""


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
        before, uid = _restarts(pod), pod["metadata"]["uid"]
        script = _KILL.format(uid=uid, uid_=uid.replace("-", "_"))
        self._kube.execute("pod/node", stage.STAGE, "sh", "-ec", script)
        eventually(lambda: _restarts(self._pods()[0]) > before, what="the operator was killed")

    def ready(self) -> None:
        """Waits until it is the active one."""
        self._kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)

    def pod_name(self) -> str:
        """Its only pod."""
        (pod,) = self._pods()
        return str(pod["metadata"]["name"])

    def _pods(self) -> list[Object]:
        return self._kube.list("pods", stage.NAMESPACE, selector=SELECTOR)


def _restarts(pod: Object) -> int:
    return sum(int(status["restartCount"]) for status in pod["status"].get("containerStatuses", ()))
