"""All pages about an archive as one file that needs nothing else: to attach to a ticket."""

from base64 import b64encode
from hashlib import sha256
from typing import Final

from kai_snapshot.api.visualizer import NODES
from kai_snapshot.runs.look import Waiting
from kai_snapshot.views import Views
from kai_snapshot.web.clustermap import GEOMETRY, cluster_map
from kai_snapshot.web.queuebars import LENGTH, amount, bars, gpus
from kai_snapshot.web.rendering import STATIC, render

JOBS_SHOWN: Final = 1000


def report(views: Views, simulated: Waiting | None = None) -> str:
    """The file's text, with what the simulator says of jobs that wait.

    What runs in it is what we put there: its content security policy names the hashes.
    """
    style, script = ((STATIC / name).read_text() for name in ("style.css", "cluster.js"))
    waiting_first = sorted(views.jobs, key=lambda job: job.status != "Pending")
    return render(
        "report.html",
        views=views,
        simulated=simulated,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        nodes=_harmless(NODES.dump_json(views.nodes, by_alias=True, exclude_none=True)),
        to=lambda target, **_: f"#{target.rpartition('/')[2]}",
        map=cluster_map(views, "queue"),
        choices=(),
        geometry=GEOMETRY,
        bars=bars(views.queues, "gpu"),
        length=LENGTH,
        rows=waiting_first[:JOBS_SHOWN],
        gpus=gpus,
        amount=amount,
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _harmless(document: bytes) -> str:
    """JSON in which nothing looks like the end of the element that holds it."""
    return document.decode().replace("<", "\\u003c")
