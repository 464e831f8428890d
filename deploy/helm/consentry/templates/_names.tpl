{{- define "consentry.name" -}}
{{- if contains "consentry" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-consentry{{ end }}
{{- end }}

{{- define "consentry.selector" -}}
app.kubernetes.io/name: consentry
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "consentry.labels" -}}
{{ include "consentry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "consentry.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "consentry.name" .) }}
{{- end }}

{{- define "consentry.image" -}}
{{- $repository := required "image.repository says where the image is" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}
{{- else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "consentry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "consentry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
