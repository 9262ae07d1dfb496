{{- define "driftgauge.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "driftgauge.selector" -}}
app.kubernetes.io/name: driftgauge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "driftgauge.labels" -}}
{{ include "driftgauge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* A generated resource with the namespace and the addresses of this release. */}}
{{- define "driftgauge.generated" -}}
{{- $text := .root.Files.Get (printf "files/%s.yml" .name) }}
{{- $text = replace "release-namespace" .root.Release.Namespace $text }}
{{- $text = replace "http://base-url.invalid" .root.Values.monitoring.serverUrl $text }}
{{- replace "http://grafana-url.invalid" .root.Values.monitoring.grafanaUrl $text }}
{{- end }}
