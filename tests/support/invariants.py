"""What is so of captures and replays once all is over, whatever went wrong meanwhile."""

import json
from collections import Counter
from collections.abc import Container, Sequence

from stage.kube import Kube
from support.archives import Archives, InBucket
from support.eventually import eventually
from support.kstatus import condition, verdict
from support.objects import NAMESPACE, Object

CHILDREN = ("jobs", "pods", "secrets")
LOGS_SECONDS = 3600
"""How long a Job of an environment stays, for who wants its logs."""


def archives_are_whole(place: Archives, *, leftovers: bool) -> list[str]:
    """Every manifest has its archive, as it says; the ids. `leftovers`: an archive without a manifest may lie there."""
    keys = place.keys()
    manifests = [key for key in keys if _is_manifest(key)]
    named = set()
    for key in manifests:
        document = place.document(key)
        archive = f"{key.rpartition('/')[0]}/{document['archive']}"
        assert archive in keys, f"{key} names an archive that is not there: {keys}"
        assert place.sha256(archive) == document["sha256"], f"{archive} is not what its manifest says"
        named.add(archive)
    orphans = {key for key in keys if key.endswith(".zip")} - named
    assert leftovers or not orphans, f"archives that no manifest names: {orphans}"
    return sorted(key.rpartition("/")[2].removesuffix(".json") for key in manifests)


def _is_manifest(key: str) -> bool:
    """Of an archive: results and environments lie in folders below."""
    return key.endswith(".json") and key.count("/") == 2


def runs_are_told(obj: Object, ids: Sequence[str], *, runs: int, may_fail: Container[str] = ()) -> None:
    """No run is lost or doubled: each is in the status, and its archive in the storage unless it was removed.

    may_fail: reasons for which one may have failed; the newest has not.
    """
    history = obj["status"]["history"]
    counted = Counter(run["id"] for run in history)
    assert len(history) == runs, f"{runs} runs were asked for: {history}"
    assert set(counted.values()) == {1}, f"a run twice: {history}"
    assert all(run["outcome"] == "Succeeded" or run["reason"] in may_fail for run in history), history
    assert set(ids) <= set(counted), f"archives of which nobody knows: {set(ids) - set(counted)}"
    assert history[0]["id"] in ids, "the newest archive is missing"
    assert "active" not in obj["status"]
    last = obj["status"]["lastSuccessfulCapture"]["id"]
    assert last == history[0]["id"], f"the last successful capture is {last}"


def archives_are_counted(obj: Object, ids: Sequence[str]) -> None:
    """The status tells of as many archives as there are."""
    assert obj["status"]["archives"]["count"] == len(ids), obj["status"]["archives"]


def results_are_whole(obj: Object, place: InBucket, *, versions: int) -> None:
    """Each version has one result, whole, where the status says; the Jobs were not more than two each."""
    status = obj["status"]
    assert verdict(obj) == "Current", status
    assert status["outcome"] == "Succeeded", status
    assert len(status["results"]) == versions
    for result in status["results"]:
        assert result["outcome"] == "Succeeded", result
        if "resultURI" in result:
            document = json.loads(place.read(place.key(result["resultURI"])))
            assert document["outcome"] == "Succeeded"
            assert place.read(place.key(result["logURI"])), "the log is empty"
    resolved = condition(obj, "SourceResolved")
    assert resolved is not None
    assert resolved["status"] == "True"


def nothing_is_left(kube: Kube, obj: Object, *, label: str) -> None:
    """Jobs, their pods and their Secrets go once their time is over."""
    name = obj["metadata"]["name"]

    def gone() -> bool:
        left = [
            f"{kind}/{each['metadata']['name']}" for kind in CHILDREN for each in _children(kube, kind, label, name)
        ]
        assert not left, f"left over of {name}: {left}"
        return True

    eventually(gone, timeout=120, interval=1, what=f"nothing is left of {name}")


def what_is_left_goes(kube: Kube, obj: Object, *, label: str) -> None:
    """Jobs have ended and will go once somebody could read their logs; pods and Secrets go with them."""
    name = obj["metadata"]["name"]

    def ended() -> bool:
        jobs = _children(kube, "jobs", label, name)
        for job in jobs:
            assert {"Complete", "Failed"} & {each["type"] for each in job["status"].get("conditions", ())}, job
            assert job["spec"]["ttlSecondsAfterFinished"] <= LOGS_SECONDS
        uids = {job["metadata"]["uid"] for job in jobs}
        for child in (child for kind in CHILDREN for child in _children(kube, kind, label, name)):
            owners = {owner["uid"] for owner in child["metadata"].get("ownerReferences", ())}
            assert child["kind"] == "Job" or owners & uids, f"{child['metadata']['name']} goes with nothing"
        return True

    eventually(ended, timeout=120, interval=1, what=f"what is left of {name} goes")


def _children(kube: Kube, kind: str, label: str, name: str) -> list[Object]:
    return kube.list(kind, NAMESPACE, selector=f"kai-snapshot.io/{label}={name}")
