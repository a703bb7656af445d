"""Jobs: each is created once, its name follows from what it is about; then its Secret, which needs its UID."""

from kai_snapshot.cluster import AlreadyExistsError, Cluster, Object
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.build import transfer_secret


def create(cluster: Cluster, wanted: Object, *, token: str, authorities: str, owner: str) -> None:
    """Creates the Job and its Secret. What is there already is taken as it is, if it belongs to `owner`, a UID.

    It is looked for first: a quota refuses to create what is there already, and says nothing of its being there.

    Raises TerminalError: NameTaken, or InvalidSpec if the API server refuses the Job; TransientError.
    """
    job = _adopted(cluster, wanted, owner) or _created(cluster, wanted, owner)
    if _has_secret(cluster, job):
        return
    try:
        cluster.create_secret(transfer_secret(job, token=token, authorities=authorities))
    except AlreadyExistsError:
        _has_secret(cluster, job)


def _created(cluster: Cluster, wanted: Object, owner: str) -> Object:
    try:
        return cluster.create_job(wanted)
    except AlreadyExistsError as error:
        found = _adopted(cluster, wanted, owner)
        if found is None:
            raise TransientError(Reason.PROGRESSING, f"{error.message}, and has just gone") from error
        return found


def _adopted(cluster: Cluster, wanted: Object, owner: str) -> Object | None:
    namespace, name = wanted["metadata"]["namespace"], wanted["metadata"]["name"]
    found = cluster.job(namespace, name)
    if found is None:
        return None
    if not any(each.get("uid") == owner for each in found["metadata"].get("ownerReferences", ())):
        kind = wanted["metadata"]["ownerReferences"][0]["kind"]
        raise TerminalError(
            Reason.NAME_TAKEN,
            f"the Job {namespace}/{name} exists and belongs to something else: "
            f"delete it, or create the {kind} under another name",
        )
    return found


def _has_secret(cluster: Cluster, job: Object) -> bool:
    """Whether the Job has its Secret. Raises TerminalError(NameTaken) if its place is taken."""
    meta = job["metadata"]
    name = names.secret_name(meta["name"])
    owners = cluster.secret_owners(meta["namespace"], name)
    if owners is not None and meta["uid"] not in owners:
        raise TerminalError(
            Reason.NAME_TAKEN, f"the Secret {meta['namespace']}/{name} exists and belongs to something else: delete it"
        )
    return owners is not None
