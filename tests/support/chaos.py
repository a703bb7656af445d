"""The operator under the supervisor, in the cluster, and how a test makes trouble for it."""

import copy
import json
from pathlib import Path
from typing import Final

from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support.certificates import Authority
from support.eventually import eventually
from support.objects import Object
from support.operatorpod import Operator

S3_ENDPOINT: Final = "http://127.0.0.1:7070"
"""The S3 server as the operator reaches it, with everything it writes counted."""
SCRIPT: Final = Path(__file__).with_name("supervisor.py")
NAME: Final = "chaos"
SPOOL_MIB: Final = 320
"""More than a capture wants to find."""


class Chaos:
    """Troubles by the supervisor."""

    def __init__(self, kube: Kube, operator: Operator, players: Cast) -> None:
        self._kube, self._operator, self._players = kube, operator, players
        self._pod = ""

    def set_up(self) -> None:
        """Puts the supervisor between the operator and all it writes to."""
        objects = stage.operator_objects(self._kube, self._players)
        authority = Authority()
        metadata = {"name": NAME, "namespace": stage.NAMESPACE}
        files = {"supervisor.py": SCRIPT.read_text(), "ca.crt": authority.pem}
        self._kube.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
            stage.secret(NAME, stage.NAMESPACE, {"tls.pem": "".join(authority.issue("127.0.0.1"))}),
        )
        self._operator.stop()
        self._kube.delete("deployment", stage.OPERATOR, stage.NAMESPACE)
        self._kube.apply(*(supervised(each) if each["kind"] == "Deployment" else each for each in objects))
        self._ready()

    def take_down(self) -> None:
        """The operator as it is installed."""
        self._kube.delete("deployment", stage.OPERATOR, stage.NAMESPACE)
        self._kube.apply(*stage.operator_objects(self._kube, self._players))
        self._operator.ready()

    def kill_after(self, write: int) -> None:
        """Kills the operator once that write, the first is 1, is done."""
        self._trouble(do="kill", at=write)

    def kill(self) -> None:
        """Kills it now."""
        self._trouble(do="kill")

    def refuse(self, write: int, status: int) -> None:
        """Answers that write with a status, and does not pass it on."""
        self._trouble(do="refuse", at=write, status=status)

    def count(self) -> None:
        """Does nothing but count."""
        self._trouble(do="nothing")

    def move_clock(self, seconds: float) -> None:
        """Lets the operator's clock be so many seconds ahead of what is so, or behind."""
        self._trouble(do="nothing", clock=seconds)

    def writes(self) -> list[str]:
        """What was written since the last trouble was set."""
        return list(self._seen()["writes"])

    def met(self) -> bool:
        """Whether it came to the trouble."""
        return bool(self._seen()["met"])

    def quiet(self) -> None:
        """Waits until nothing is written any more."""
        seen: list[tuple[object, ...]] = []

        def nothing_new() -> bool:
            now = self._seen()
            seen.append((len(now["writes"]), now["starts"]))
            return len(seen) > 2 and len(set(seen[-3:])) == 1

        eventually(nothing_new, interval=0.7, what="nothing is written")

    def ready(self) -> None:
        """Waits until the operator is the active one again."""
        self._operator.ready()

    def fill_spool(self) -> None:
        """Leaves no room in the spool directory."""
        script = f"dd if=/dev/zero of=/spool/full bs=1M count={2 * SPOOL_MIB} 2>/dev/null || true"
        self._kube.execute(f"pod/{self._pod}", stage.NAMESPACE, "sh", "-c", script)

    def empty_spool(self) -> None:
        """Gives the room back."""
        self._kube.execute(f"pod/{self._pod}", stage.NAMESPACE, "rm", "/spool/full")

    def left_in_spool(self) -> list[str]:
        """What lies in the spool directory."""
        return self._kube.execute(f"pod/{self._pod}", stage.NAMESPACE, "ls", "/spool").split()

    def _trouble(self, **asked: object) -> None:
        self._kube.post_raw(f"{self._control()}/trouble", json.dumps(asked))

    def _seen(self) -> Object:
        return dict(json.loads(self._kube.get_raw(f"{self._control()}/seen")))

    def _control(self) -> str:
        return f"/api/v1/namespaces/{stage.NAMESPACE}/pods/{self._pod}:7071/proxy"

    def _ready(self) -> None:
        self._operator.ready()
        self._pod = self._operator.pod_name()
        eventually(lambda: self._seen()["starts"] > 0, what="the supervisor answers")


def supervised(deployment: Object) -> Object:
    """The operator's Deployment with the supervisor as its program."""
    changed = copy.deepcopy(deployment)
    pod = changed["spec"]["template"]["spec"]
    container, volumes = pod["containers"][0], pod["volumes"]
    container["args"] = [
        "/chaos/supervisor.py", "--api-ca=/chaos-api/ca.crt", "--tls=/chaos-tls/tls.pem", f"--s3={stage.S3_ENDPOINT}",
        "--", "run", *container["args"],
    ]  # fmt: skip
    container["command"] = ["python"]
    container["volumeMounts"] += [
        {"name": "chaos", "mountPath": "/chaos"},
        {"name": "chaos-api", "mountPath": "/chaos-api"},
        {"name": "chaos-tls", "mountPath": "/chaos-tls"},
    ]
    volumes += [
        {"name": "chaos", "configMap": {"name": NAME}},
        {"name": "chaos-api", "configMap": {"name": "kube-root-ca.crt"}},
        {"name": "chaos-tls", "secret": {"secretName": NAME}},
    ]
    (spool,) = (each for each in volumes if each["name"] == "spool")
    spool["emptyDir"] = {"medium": "Memory", "sizeLimit": f"{SPOOL_MIB}Mi"}  # one that can be filled
    (mount,) = (each for each in volumes if each["name"] == "service-account")
    for source in mount["projected"]["sources"]:
        if "configMap" in source:
            source["configMap"]["name"] = NAME
    return changed
