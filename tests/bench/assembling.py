"""How much memory it takes to build a snapshot from the API server's lists, which must not grow with the cluster.

The API server is a stand-in that makes its pages as they are asked for: whole pods, with what the scheduler leaves out.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
from aiohttp import web

from bench.peak import launched, peak
from support import documents
from support.apicluster import PATHS, api_server, document, kubeconfig_of
from support.apiserver import ApiServer

LIVE = Path(__file__).parents[1] / "data" / "corpus" / "19-live" / "snapshot.zip"


def peak_memory(directory: Path, *, pods: int) -> int:
    """The largest resident set, in bytes, of the capturing process, with a cluster of so many pods."""
    with tempfile.TemporaryDirectory(dir=directory) as name, kubeconfig_of(_large(pods), Path(name)) as kubeconfig:
        done = subprocess.run(launched(_command(kubeconfig, Path(name))), check=True, capture_output=True)
    manifest = orjson.loads(done.stdout)["manifest"]
    assert manifest["objectCounts"]["pods"] == pods
    return peak(done.stderr)


def _command(kubeconfig: Path, directory: Path) -> Sequence[str]:
    options = [f"--kubeconfig={kubeconfig}", f"--file={directory / 'a.zip'}", "--output=json"]
    return [sys.executable, "-m", "kai_snapshot", "capture", "--from-api", *options]


class _Large(ApiServer):
    """An API server whose objects are made when they are asked for."""

    made: dict[str, tuple[int, documents.Element]]

    def page(self, request: web.Request) -> web.Response:
        if request.path not in self.made:
            return super().page(request)
        many, element = self.made[request.path]
        start = int(request.query.get("continue", "0"))
        end = min(many, start + int(request.query["limit"]))
        metadata = {"resourceVersion": "100", **({"continue": str(end)} if end < many else {})}
        items = b",".join(map(element, range(start, end)))
        body = b'{"kind":"List","metadata":' + orjson.dumps(metadata) + b',"items":[' + items + b"]}"
        return web.Response(body=body, content_type="application/json")


def _large(pods: int) -> ApiServer:
    few = api_server(document(LIVE))
    server = _Large(objects=few.objects, lists=few.lists)
    found = documents.lists(pods, documents.Shape.COMPACT).items()
    server.made = {PATHS[name]: (many, element) for name, (many, element) in found if element is not None}
    return server
