"""Jobs: each is created once, its name follows from what it is about; then its token, which needs its UID."""

from kai_snapshot.cluster import AlreadyExistsError, Cluster, Object
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.build import token_secret


def create(cluster: Cluster, wanted: Object, *, token: str, owner: str) -> None:
    """Creates the Job and its token. What is there already is taken as it is, if it belongs to `owner`, a UID.

    Raises TerminalError: NameTaken, or InvalidSpec if the API server refuses the Job; TransientError.
    """
    try:
        created = cluster.create_job(wanted)
    except AlreadyExistsError:
        created = _adopted(cluster, wanted, owner)
    try:
        cluster.create_secret(token_secret(created, token))
    except AlreadyExistsError as error:
        _check_secret(cluster, created, error)


def _adopted(cluster: Cluster, wanted: Object, owner: str) -> Object:
    namespace, name = wanted["metadata"]["namespace"], wanted["metadata"]["name"]
    found = cluster.job(namespace, name)
    if found is None:
        raise TransientError(Reason.PROGRESSING, f"job {namespace}/{name} has just gone")
    if not any(each.get("uid") == owner for each in found["metadata"].get("ownerReferences", ())):
        kind = wanted["metadata"]["ownerReferences"][0]["kind"]
        raise TerminalError(
            Reason.NAME_TAKEN,
            f"the Job {namespace}/{name} exists and belongs to something else: "
            f"delete it, or create the {kind} under another name",
        )
    return found


def _check_secret(cluster: Cluster, created: Object, error: AlreadyExistsError) -> None:
    meta = created["metadata"]
    name = names.secret_name(meta["name"])
    if meta["uid"] not in cluster.secret_owners(meta["namespace"], name):
        raise TerminalError(
            Reason.NAME_TAKEN, f"the Secret {meta['namespace']}/{name} exists and belongs to something else: delete it"
        ) from error
