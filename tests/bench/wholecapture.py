"""How fast a whole capture is, against what a person would type; and how much memory the capturing process takes.

Ours is the process that the operator starts for a run: it finds the leader, downloads through the API server, checks,
stores in S3. Theirs has its `kubectl port-forward` already: curl, then `unzip -p | jq` to see that the document is
whole, then `rclone copyto` to the same S3 server.
"""

import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.peak import launched, peak
from bench.scene import BUCKET, KEYS, Scene
from bench.sidebyside import Comparison, in_turns
from bench.versions import version
from kai_snapshot.api.ids import run_id
from kai_snapshot.api.source import Source
from kai_snapshot.api.storage import S3Storage, Storage
from kai_snapshot.runs.children import CAPTURE
from kai_snapshot.runs.request import CaptureAnswer, CaptureRequest
from kai_snapshot.source.kubeconfig import from_kubeconfig
from kai_snapshot.stores import S3Credentials
from support import documents
from toolchain.places import BIN

COUNT = ".rawObjects | map_values(length)"
RCLONE = Path(sys.executable).parent / "rclone"
_SLOTS = (datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=n) for n in itertools.count())


def measure(scene: Scene, s3: str, directory: Path, *, megabytes: int) -> Comparison:
    """Captures in turns a document of this size."""
    written = serve(scene, directory, megabytes)
    kubectl = version(BIN / "kubectl", "version", "--client")
    with scene.endpoint() as url:
        return in_turns(
            f"capture of a {written.size / 1e6:.0f} MB document to S3",
            ours=lambda: ours(scene, s3, directory),
            other=f"{kubectl} port-forward, {version('curl')}, unzip | {version('jq')}, {version(RCLONE, 'version')}",
            theirs=lambda: theirs(url, s3, directory),
        )


def peak_memory(scene: Scene, s3: str, directory: Path, *, megabytes: int) -> int:
    """The largest resident set of the capturing process, in bytes, with a document of this size."""
    serve(scene, directory, megabytes)
    return ours(scene, s3, directory)


def serve(scene: Scene, directory: Path, megabytes: int) -> documents.Document:
    """Makes a document of this size, and lets the scheduler serve it."""
    archive = directory / "served.zip"
    written = documents.write_archive(archive, pods=documents.pods_for(megabytes * 10**6))
    scene.serve(archive)
    archive.unlink()
    return written


def ours(scene: Scene, s3: str, directory: Path) -> int:
    """One run; the peak of its memory in bytes."""
    moment = next(_SLOTS)
    request = CaptureRequest(
        id=run_id(moment),
        trigger="Schedule",
        scheduled_for=moment,
        namespace="bench",
        name="ours",
        source=Source(),
        connection=from_kubeconfig(scene.kubeconfig, context=None),
        storage=Storage(s3=S3Storage(bucket=BUCKET, endpoint=s3, force_path_style=True)),
        keys=S3Credentials(access_key_id=KEYS[0], secret_access_key=KEYS[1]),
        claims_dir=directory,
        spool_dir=directory,
    )
    done = subprocess.run(
        launched(CAPTURE),
        input=request.model_dump_json(by_alias=True).encode(),
        capture_output=True,
        check=True,
    )
    answer = CaptureAnswer.model_validate_json(done.stdout)
    if answer.manifest is None:
        raise answer.error()
    return peak(done.stderr)


def theirs(url: str, s3: str, directory: Path) -> None:
    """The same by hand."""
    file = directory / "theirs.zip"
    subprocess.run(["curl", "--silent", "--fail", "--output", file, url], check=True)
    with subprocess.Popen(["unzip", "-p", file], stdout=subprocess.PIPE) as unzip:
        subprocess.run(["jq", COUNT], check=True, stdin=unzip.stdout, stdout=subprocess.DEVNULL)
    settings = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": s3,
        "RCLONE_S3_ACCESS_KEY_ID": KEYS[0],
        "RCLONE_S3_SECRET_ACCESS_KEY": KEYS[1],
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    key = f":s3:{BUCKET}/bench/theirs/{run_id(next(_SLOTS))}.zip"
    subprocess.run([RCLONE, "copyto", file, key], check=True, env=os.environ | settings)
