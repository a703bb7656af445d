"""The templates of the Helm chart, from the objects of manifests/: who changes those runs `make chart`.

What kustomize does with an overlay, a value of the chart does: another namespace, a claim, a component's switch, which
has the component's name.
"""

import re
from pathlib import Path
from typing import Any, Final

from chart import alerts, deployment, holes, sources
from toolchain.places import CHECKOUT

CHART: Final = CHECKOUT / "charts" / "kai-snapshot-operator"
_CRDS: Final = CHECKOUT / "crds"
_KEEP: Final = """\
{{- if .Values.crds.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}"""
_ANNOTATIONS: Final = """\
{{- with .Values.serviceAccount.annotations }}
annotations: {{- toYaml . | nindent 4 }}
{{- end }}"""


def files() -> dict[str, str]:
    """The text of each file that is rendered, by its place in the chart."""
    rendered = {f"templates/crd-{path.stem.partition('_')[2]}.yaml": _crd(path) for path in _CRDS.glob("kai-*.yaml")}
    for resource in sources.kustomization(sources.MANIFESTS)["resources"]:
        if resource.endswith(".yaml"):
            rendered[f"templates/{resource.replace('/', '-')}"] = _template(resource)
    for component in sources.components():
        rendered |= _component(component)
    return rendered


def _template(resource: str) -> str:
    objects = holes.load((sources.MANIFESTS / resource).read_text())
    for each in objects:
        each["metadata"].setdefault("labels", {})["app.kubernetes.io/name"] = sources.NAME
        if each["kind"] == "Deployment":
            deployment.open_up(each)
        if each["kind"] == "ServiceAccount":
            each["metadata"][holes.mark(_ANNOTATIONS)] = None
    switches = {
        "namespace.yaml": "if .Values.namespace.create",
        "rbac/scheduler.yaml": "range .Values.schedulerNamespaces",
    }
    words = dict(sources.words())
    if resource == "rbac/scheduler.yaml":
        words["kai-scheduler"] = "{{ . }}"
    text = holes.dump([sources.replaced(each, words) for each in objects])
    return _within(switches.get(resource), f"manifests/{resource}", text)


def _component(name: str) -> dict[str, str]:
    folder, where = sources.COMPONENTS / name, f"manifests/components/{name}"
    kustomization = sources.kustomization(folder)
    rendered = {}
    for resource in kustomization.get("resources", ()):
        objects = holes.load((folder / resource).read_text())
        for each in objects:
            if each["kind"] == "PrometheusRule":  # has templates of its own
                each["spec"] = holes.mark(f"{{{{- {_file(alerts.RULES.name)} | nindent 2 }}}}")
                rendered[f"files/{alerts.RULES.name}"] = alerts.RULES.read_text()
        text = holes.dump([sources.replaced(each, sources.words(name)) for each in objects])
        rendered[f"templates/{name}-{resource}"] = _within(sources.switch(name), f"{where}/{resource}", text)
    for generator in kustomization.get("configMapGenerator", ()):
        for entry in generator["files"]:
            key, _, source = entry.partition("=")
            text = holes.dump([sources.replaced(_config_map(generator, key, source), sources.words(name))])
            rendered[f"files/{source}"] = (folder / source).read_text()
            place = f"templates/{name}-{Path(source).stem}.yaml"
            rendered[place] = _within(sources.switch(name), f"{where}/{source}", text)
    return rendered


def _config_map(generator: Any, key: str, source: str) -> dict[str, Any]:
    """A ConfigMap of one file."""
    metadata = {
        "name": generator["name"],
        "namespace": generator["namespace"],
        "labels": generator["options"]["labels"],
    }
    data = {key: holes.mark(f"{{{{ {_file(source)} | toJson }}}}")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _file(name: str) -> str:
    return f'.Files.Get "files/{name}" | replace "kai-snapshots" .Release.Namespace'


def _crd(path: Path) -> str:
    text = path.read_text().partition("\n")[2]
    labels = f"  labels:\n    app.kubernetes.io/name: {sources.NAME}\n" + "".join(
        f"  {line}\n" for line in _KEEP.split("\n")
    )
    name = re.search(r"^metadata:\n  name: .*\n", text, re.MULTILINE)
    assert name is not None, path
    return _within("if .Values.crds.create", f"crds/{path.name}", text[: name.end()] + labels + text[name.end() :])


def _within(switch: str | None, source: str, text: str) -> str:
    head = f"# Rendered from {source} by `make chart`.\n"
    if switch is None:
        return head + text
    separator = "---\n" if switch.startswith("range") else ""
    return f"{head}{{{{- {switch} }}}}\n{separator}{text}{{{{- end }}}}\n"
