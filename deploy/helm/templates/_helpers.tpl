{{- define "autoscaler.name" -}}
{{ .Values.nameOverride | default .Release.Name }}
{{- end -}}
{{- define "autoscaler.account" -}}
{{ .Values.serviceAccount.name | default (include "autoscaler.name" .) }}
{{- end -}}
{{- define "autoscaler.selector" -}}
app.kubernetes.io/name: predictive-autoscaler
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "autoscaler.labels" -}}
{{ include "autoscaler.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
