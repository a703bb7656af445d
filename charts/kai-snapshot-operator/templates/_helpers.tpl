{{/* The operator's image: what all containers run. */}}
{{- define "kai-snapshot-operator.image" -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* Where the pages find the archives on a claim. */}}
{{- define "kai-snapshot-operator.pagesDirectory" -}}
{{- if not (has .Values.pages.claim .Values.claims) }}
{{- fail (printf "pages.claim is %q, which claims does not name: name it there, or set pages.s3.uri" .Values.pages.claim) }}
{{- end -}}
--dir=/claims/{{ .Values.pages.claim }}{{ with .Values.pages.subPath }}/{{ . }}{{ end }}
{{- end -}}
