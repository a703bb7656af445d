"""The templates of the Helm chart, from the objects of manifests/: who changes those runs `make chart`.

What kustomize does with an overlay, a value of the chart does: another namespace, a component, a claim. A component's
patches only ever append to a list; what they append goes into a block of Helm's in the same list.
"""

import re
from pathlib import Path
from typing import Any, Final

from chart import alerts, holes
from toolchain.places import CHECKOUT

CHART: Final = CHECKOUT / "charts" / "kai-snapshot-operator"
_MANIFESTS: Final = CHECKOUT / "manifests"
_CRDS: Final = CHECKOUT / "crds"
_NAME: Final = "kai-snapshot-operator"
_HERE: Final = "{{ $.Release.Namespace }}"
_IMAGE: Final = '{{ include "kai-snapshot-operator.image" $ }}'
_KEEP: Final = """\
{{- if .Values.crds.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}"""
_ANNOTATIONS: Final = """\
{{- with .Values.serviceAccount.annotations }}
annotations: {{- toYaml . | nindent 4 }}
{{- end }}"""
_POD: Final = """\
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 8 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 8 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 8 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 8 }}
{{- end }}"""
_POD_ANNOTATIONS: Final = """\
{{- with .Values.podAnnotations }}
{{- toYaml . | nindent 8 }}
{{- end }}"""
_SETTING: Final = """\
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{- toYaml . | nindent 12 }}
{{- end }}"""
_PAGES_ENVIRONMENT: Final = """\
{{- with .Values.pages.s3.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}"""
_PAGES_OPTIONS: Final = """\
{{- range .Values.pages.args }}
- {{ . | quote }}
{{- end }}"""
_PAGES_PLACE: Final = """\
{{- with .Values.pages.s3.uri }}
- {{ printf "--s3=%s" . }}
{{- else }}
- {{ include "kai-snapshot-operator.pagesDirectory" $ }}
{{- end }}"""


def files() -> dict[str, str]:
    """The text of each file that is rendered, by its place in the chart."""
    rendered = {f"templates/crd-{path.stem.partition('_')[2]}.yaml": _crd(path) for path in _CRDS.glob("kai-*.yaml")}
    for resource in _kustomization(_MANIFESTS)["resources"]:
        if resource.endswith(".yaml"):
            rendered[f"templates/{resource.replace('/', '-')}"] = _template(resource)
    for component, switch in {
        "namespace": "range .Values.namespaces",
        "pages": "if .Values.pages.enabled",
        "clusterpolicies": "if .Values.clusterPolicies.enabled",
    }.items():
        rendered |= _component(component, switch)
    return rendered | _monitoring()


def _template(resource: str) -> str:
    objects = holes.load((_MANIFESTS / resource).read_text())
    for each in objects:
        each["metadata"].setdefault("labels", {})["app.kubernetes.io/name"] = _NAME
        if each["kind"] == "Deployment":
            _deployment(each)
        if each["kind"] == "ServiceAccount":
            each["metadata"][holes.mark(_ANNOTATIONS)] = None
    switches = {
        "namespace.yaml": "if .Values.namespace.create",
        "rbac/scheduler.yaml": "range .Values.schedulerNamespaces",
    }
    replaced = {"kai-scheduler": "{{ . }}"} if resource == "rbac/scheduler.yaml" else {}
    return _file(f"manifests/{resource}", objects, replaced, within=switches.get(resource))


def _component(name: str, switch: str) -> dict[str, str]:
    folder = _MANIFESTS / "components" / name
    replaced = {"team-a": "{{ . }}"} if name == "namespace" else {}
    return {
        f"templates/{name}-{resource}": _file(
            f"manifests/components/{name}/{resource}",
            holes.load((folder / resource).read_text()),
            replaced,
            within=switch,
        )
        for resource in _kustomization(folder).get("resources", ())
    }


def _deployment(deployment: Any) -> None:
    deployment["spec"]["replicas"] = holes.mark("{{ .Values.replicas }}")
    template = deployment["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    annotations.fa.set_block_style()
    annotations[holes.mark(_POD_ANNOTATIONS)] = None
    pod = template["spec"]
    for component, begin, replaced in (
        ("claim", "range .Values.claims", {"archives": "{{ . }}"}),
        ("namespace", "range .Values.namespaces", {"team-a": "{{ . }}"}),
        ("pages", "if .Values.pages.enabled", {}),
    ):
        for place, values in _appended(component).items():
            if place[-1] == "containers":
                _pages(*values)
            _at(deployment, place).extend(holes.around(_replaced(values, replaced), begin))
    (operator,) = (each for each in pod["containers"] if isinstance(each, dict) and each["name"] == "operator")
    operator["env"].append(holes.mark(_SETTING))
    operator["resources"] = holes.mark("{{- toYaml .Values.resources | nindent 12 }}")
    pod.insert(list(pod).index("containers"), holes.mark(_POD), None)


def _pages(container: Any) -> None:
    place = container["args"].index("--dir=/claims/archives")
    container["args"][place] = holes.mark(_PAGES_PLACE)
    container["args"].append(holes.mark(_PAGES_OPTIONS))
    container["resources"] = holes.mark("{{- toYaml .Values.pages.resources | nindent 12 }}")
    mount = container["volumeMounts"].pop()
    assert mount["name"] == "claim-archives"
    of_claim = _replaced(mount, {"archives": "{{ .Values.pages.claim }}"})
    container["volumeMounts"] += holes.around([of_claim], "if not .Values.pages.s3.uri")
    container[holes.mark(_PAGES_ENVIRONMENT)] = None


def _appended(component: str) -> dict[tuple[str, ...], list[Any]]:
    """What the component's patches append, by the list of the Deployment that it goes to."""
    appended: dict[tuple[str, ...], list[Any]] = {}
    for patch in _kustomization(_MANIFESTS / "components" / component)["patches"]:
        (operations,) = holes.load(patch["patch"])
        for operation in operations:
            *place, last = operation["path"].strip("/").split("/")
            if (operation["op"], last, patch["target"]) != ("add", "-", {"kind": "Deployment", "name": _NAME}):
                raise ValueError(f"components/{component}: only what appends to the Deployment can be rendered")
            appended.setdefault(tuple(place), []).append(operation["value"])
    return appended


def _at(obj: Any, place: tuple[str, ...]) -> Any:
    for step in place:
        obj = obj[int(step) if step.isdecimal() else step]
    return obj


def _crd(path: Path) -> str:
    text = path.read_text().partition("\n")[2]
    labels = f"  labels:\n    app.kubernetes.io/name: {_NAME}\n" + "".join(f"  {line}\n" for line in _KEEP.split("\n"))
    name = re.search(r"^metadata:\n  name: .*\n", text, re.MULTILINE)
    assert name is not None, path
    return _within("if .Values.crds.create", f"crds/{path.name}", text[: name.end()] + labels + text[name.end() :])


def _monitoring() -> dict[str, str]:
    folder = _MANIFESTS / "components" / "monitoring"
    switch = "if .Values.monitoring.enabled"
    (generator,) = _kustomization(folder)["configMapGenerator"]
    ((key, _, source),) = (file.partition("=") for file in generator["files"])
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": generator["name"],
            "namespace": generator["namespace"],
            "labels": generator["options"]["labels"],
        },
        "data": {key: holes.mark(f"{{{{ {_here(source)} | toJson }}}}")},
    }
    where = "manifests/components/monitoring"
    (rule,) = holes.load(alerts.prometheus_rule("{}").partition("\n")[2])
    rule["spec"] = holes.mark(f"{{{{- {_here(alerts.RULES.name)} | nindent 2 }}}}")
    return {
        "templates/monitoring-podmonitor.yaml": _file(
            f"{where}/podmonitor.yaml", holes.load((folder / "podmonitor.yaml").read_text()), {}, within=switch
        ),
        "templates/monitoring-prometheusrule.yaml": _file(f"{where}/rules.yaml", [rule], {}, within=switch),
        "templates/monitoring-dashboard.yaml": _file(f"{where}/{source}", [config_map], {}, within=switch),
        f"files/{alerts.RULES.name}": alerts.RULES.read_text(),
        f"files/{source}": (folder / source).read_text(),
    }


def _here(file: str) -> str:
    return f'.Files.Get "files/{file}" | replace "kai-snapshots" .Release.Namespace'


def _file(source: str, objects: list[Any], replaced: dict[str, str], *, within: str | None) -> str:
    words = {**replaced, "kai-snapshots": _HERE}
    return _within(within, source, holes.dump([_replaced(each, words) for each in objects]))


def _within(switch: str | None, source: str, text: str) -> str:
    head = f"# Rendered from {source} by `make chart`.\n"
    if switch is None:
        return head + text
    separator = "---\n" if switch.startswith("range") else ""
    return f"{head}{{{{- {switch} }}}}\n{separator}{text}{{{{- end }}}}\n"


def _replaced(value: Any, words: dict[str, str]) -> Any:
    """The same, changed in place: each word replaced in all texts, and the operator's image by that of the values."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            value[key] = _replaced(value[key], words)
    elif isinstance(value, str) and value.startswith(f"{_NAME}:"):
        return _IMAGE
    elif isinstance(value, str) and words:
        pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
        return re.sub(pattern, lambda found: words[found[0]], value)
    return value


def _kustomization(folder: Path) -> Any:
    (document,) = holes.load((folder / "kustomization.yaml").read_text())
    return document
