import pytest

from kai_snapshot.source.flags import config_map, image_tag, parse_flags, read_flags, scheduler_container
from kai_snapshot.source.objects import Container, PodSpec
from support import kai


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        pytest.param(["--port=1", "--name=a=b"], {"port": "1", "name": "a=b"}, id="with equals sign"),
        pytest.param(["--port", "1", "--name", "a"], {"port": "1", "name": "a"}, id="as two words"),
        pytest.param(["--leader-elect", "--v=3"], {"leader-elect": "", "v": "3"}, id="switch before another"),
        pytest.param(["--v=3", "--leader-elect"], {"v": "3", "leader-elect": ""}, id="switch at the end"),
        pytest.param(["--port=1", "--port=2"], {"port": "2"}, id="the last one counts"),
        pytest.param(["/workspace/app", "-v=3", "--", "x"], {}, id="others are left alone"),
        pytest.param(["--name="], {"name": ""}, id="empty value"),
    ],
)
def test_flags_are_read_as_go_reads_them(words: list[str], flags: dict[str, str]) -> None:
    assert parse_flags(words) == flags


def test_flags_that_are_not_given_have_kais_defaults() -> None:
    flags = read_flags(Container(name="scheduler", args=["--scheduler-conf=/etc/config/config.yaml"]))

    assert (flags.port, flags.lease, flags.namespace, flags.elects) == (8081, "kai-scheduler", "kai-scheduler", False)


@pytest.mark.parametrize(
    ("args", "lease"),
    [
        pytest.param([], "kai-scheduler", id="no partition"),
        pytest.param(["--partition-label-value="], "kai-scheduler", id="empty partition"),
        pytest.param(["--partition-label-value=pool-a"], "kai-scheduler-pool-a", id="partition, not the shard's name"),
        pytest.param(["--scheduler-name=gpu"], "gpu", id="other scheduler name"),
    ],
)
def test_the_lease_is_named_by_scheduler_and_partition(args: list[str], lease: str) -> None:
    assert read_flags(Container(name="scheduler", args=args)).lease == lease


@pytest.mark.parametrize(
    ("arg", "elects"),
    [
        ("--leader-elect", True),
        ("--leader-elect=true", True),
        ("--leader-elect=True", True),
        ("--leader-elect=1", True),
        ("--leader-elect=false", False),
        ("--leader-elect=0", False),
        ("--v=3", False),
    ],
)
def test_election_is_on_as_go_reads_a_switch(arg: str, elects: bool) -> None:
    assert read_flags(Container(name="scheduler", args=[arg])).elects is elects


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0", "v0.17.0"),
        ("ghcr.io/nvidia/kai-scheduler/scheduler:v0.9.0@sha256:0123", "v0.9.0"),
        ("ghcr.io/kai-scheduler/kai-scheduler/scheduler@sha256:0123", None),
        ("registry:5000/scheduler", None),
        ("registry:5000/scheduler:0.0.0-5f3f7a39", "0.0.0-5f3f7a39"),
        ("scheduler", None),
    ],
)
def test_the_version_is_the_images_tag(image: str, tag: str | None) -> None:
    assert image_tag(image) == tag


def test_the_scheduler_is_found_among_sidecars() -> None:
    spec = kai.pod_spec("kai-scheduler-default", args=kai.arguments(), image="scheduler:v0.17.0")
    spec["containers"].insert(0, {"name": "istio-proxy", "image": "proxy:1", "args": ["proxy", "sidecar"]})

    assert scheduler_container(PodSpec.model_validate(spec)).name == "kai-scheduler-default"


@pytest.mark.parametrize(
    ("mount_path", "config_file", "expected"),
    [
        pytest.param("/etc/config/config.yaml", "/etc/config/config.yaml", "conf", id="the file is mounted"),
        pytest.param("/etc/config/", "/etc/config/config.yaml", "conf", id="its folder is mounted"),
        pytest.param("/etc/conf", "/etc/config/config.yaml", None, id="something else is mounted"),
        pytest.param("/etc/config/config.yaml", "", None, id="no file is named"),
    ],
)
def test_the_configuration_is_where_the_argument_points(
    mount_path: str, config_file: str, expected: str | None
) -> None:
    pod = PodSpec.model_validate(
        {
            "containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": mount_path}]}],
            "volumes": [{"name": "w", "configMap": {"name": "other"}}, {"name": "v", "configMap": {"name": "conf"}}],
        }
    )

    assert config_map(pod, pod.containers[0], config_file) == expected
