"""The image, built twice from nothing, is the same: about four minutes."""

import subprocess

import pytest

from toolchain.places import CHECKOUT, docker_runs


@pytest.mark.skipif(docker_runs(), reason="it is buildah that is told to; with Docker see docs/operations.md")
def test_two_builds_of_one_checkout_give_one_digest() -> None:
    done = subprocess.run([str(CHECKOUT / "tools" / "image"), "twice"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "the same image, twice" in done.stdout
