"""The operator's Deployment with holes for Helm: what a component's patches change is behind the component's switch."""

from collections.abc import Iterator
from typing import Any, Final

from chart import holes, sources

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


def open_up(deployment: Any) -> None:
    """Makes the holes."""
    pages: list[Any] = []
    for component in sources.components():
        switch = sources.switch(component)
        for place, key, values in _patches(component):
            inside = _at(deployment, place)
            pages += [value for value in values if component == "pages" and place[-1] == "containers"]
            if key == "-":
                inside.extend(holes.around(sources.replaced(values, sources.words(component)), switch))
            else:
                _either(inside, key, sources.replaced(values[-1], sources.words(component)), switch)
    template = deployment["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    annotations.fa.set_block_style()
    annotations[holes.mark(_POD_ANNOTATIONS)] = None
    pod = template["spec"]
    (operator,) = (each for each in pod["containers"] if isinstance(each, dict) and each["name"] == "operator")
    operator["env"].append(holes.mark(_SETTING))
    operator["resources"] = holes.mark("{{- toYaml .Values.resources | nindent 12 }}")
    pod.insert(list(pod).index("containers"), holes.mark(_POD), None)
    for container in pages:
        _pages(container)


def _pages(container: Any) -> None:
    place = container["args"].index("--dir=/claims/archives")
    container["args"][place] = holes.mark(_PAGES_PLACE)
    container["args"].append(holes.mark(_PAGES_OPTIONS))
    container["resources"] = holes.mark("{{- toYaml .Values.pages.resources | nindent 12 }}")
    mount = container["volumeMounts"].pop()
    assert mount["name"] == "claim-archives"
    of_claim = sources.replaced(mount, {"archives": "{{ .Values.pages.claim }}"})
    container["volumeMounts"] += holes.around([of_claim], "if not .Values.pages.s3.uri")
    container[holes.mark(_PAGES_ENVIRONMENT)] = None


def _either(inside: Any, key: str, value: Any, switch: str) -> None:
    """What a patch sets, or else what is there."""
    before = [f"{{{{- {switch} }}}}", holes.dump([{key: value}]).rstrip()]
    place = list(inside).index(key) if key in inside else len(inside)
    otherwise = ["{{- else }}", holes.dump([{key: inside.pop(key)}]).rstrip()] if key in inside else []
    inside.insert(place, holes.mark("\n".join([*before, *otherwise, "{{- end }}"])), None)


def _patches(component: str) -> Iterator[tuple[tuple[str, ...], str, list[Any]]]:
    """What the component's patches change: where, at which key, and to what. `-` appends to the list that is there."""
    changes: dict[tuple[tuple[str, ...], str], list[Any]] = {}
    for patch in sources.kustomization(sources.COMPONENTS / component).get("patches", ()):
        (operations,) = holes.load(patch["patch"])
        for operation in operations:
            *place, key = operation["path"].strip("/").split("/")
            if patch["target"] != {"kind": "Deployment", "name": sources.NAME} or operation["op"] not in (
                "add",
                "replace",
            ):
                raise ValueError(
                    f"components/{component}: only what adds to or replaces in the Deployment can be rendered"
                )
            changes.setdefault((tuple(place), key), []).append(operation["value"])
    return ((place, key, values) for (place, key), values in changes.items())


def _at(obj: Any, place: tuple[str, ...]) -> Any:
    for step in place:
        obj = obj[int(step) if step.isdecimal() else step]
    return obj
