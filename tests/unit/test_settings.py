"""The operator's settings, from its environment variables."""

from kai_snapshot.settings import read

NEEDED = {
    "KAI_SNAPSHOT_NAMESPACE": "kai-snapshots",
    "KAI_SNAPSHOT_POD_NAME": "operator-1",
    "KAI_SNAPSHOT_TRANSFER_URL": "https://transfer:8082",
}


def test_no_namespace_may_be_root_on_the_nodes_unless_it_is_named() -> None:
    assert read(NEEDED).privileged_namespaces == ()
    named = read({**NEEDED, "KAI_SNAPSHOT_PRIVILEGED_NAMESPACES": "team-a, team-b,"})
    assert named.privileged_namespaces == ("team-a", "team-b")


def test_the_operators_identity_is_for_its_own_namespace_unless_others_are_named() -> None:
    assert read(NEEDED).identity_namespaces == ("kai-snapshots",)
    assert read({**NEEDED, "KAI_SNAPSHOT_IDENTITY_NAMESPACES": "team-a"}).identity_namespaces == ("team-a",)
