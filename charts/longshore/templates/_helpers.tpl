{{- define "longshore.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "longshore.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "longshore.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* All pods of a release, also those that check it. */}}
{{- define "longshore.releaseLabels" -}}
app.kubernetes.io/name: {{ include "longshore.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The workers. Never changes for a release: a Deployment's selector cannot. */}}
{{- define "longshore.selectorLabels" -}}
{{ include "longshore.releaseLabels" . }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "longshore.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "longshore.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "longshore.metadata" -}}
name: {{ include "longshore.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "longshore.labels" . | nindent 2 }}
{{- end -}}

{{- define "longshore.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "longshore.fullname" .) "default") -}}
{{- end -}}

{{- define "longshore.image" -}}
{{- $repository := required "image.repository: give the registry and name of your image; `make image` builds it" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The Secret that holds the connection string. */}}
{{- define "longshore.mongoSecret" -}}
{{- if .Values.mongo.externalSecret.enabled -}}
{{- if .Values.mongo.existingSecret -}}
{{- fail "mongo.existingSecret and mongo.externalSecret.enabled: keep one, both name the connection string" -}}
{{- end -}}
{{- printf "%s-mongo" (include "longshore.fullname" .) -}}
{{- else -}}
{{- required "mongo.existingSecret: name the Secret that holds the connection string: kubectl create secret generic longshore-mongo --from-literal=uri='mongodb://...'" .Values.mongo.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* A time of the configuration ("25s", "5m", 30) in whole seconds, rounded up. */}}
{{- define "longshore.seconds" -}}
{{- $text := toString .value -}}
{{- if not (regexMatch "^[0-9]+(ms|s|m|h|d)?$" $text) -}}
{{- fail (printf "%s: must be a time such as 25s or 2m, not %q" .key $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- if eq $unit "ms" -}}{{ div (add $number 999) 1000 }}
{{- else if eq $unit "m" -}}{{ mul $number 60 }}
{{- else if eq $unit "h" -}}{{ mul $number 3600 }}
{{- else if eq $unit "d" -}}{{ mul $number 86400 }}
{{- else -}}{{ $number }}
{{- end -}}
{{- end -}}

{{/* A size of the configuration ("256MiB", 65536) in MiB, rounded up. */}}
{{- define "longshore.mebibytes" -}}
{{- $text := .value | kindIs "float64" | ternary (.value | int64 | toString) (toString .value) -}}
{{- if not (regexMatch "^[0-9]+(B|KiB|MiB|GiB)?$" $text) -}}
{{- fail (printf "%s: must be a size such as 256MiB or 1GiB, not %q" .key $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- if eq $unit "GiB" -}}{{ mul $number 1024 }}
{{- else if eq $unit "MiB" -}}{{ $number }}
{{- else if eq $unit "KiB" -}}{{ div (add $number 1023) 1024 }}
{{- else -}}{{ div (add $number 1048575) 1048576 }}
{{- end -}}
{{- end -}}

{{/* A worker takes 110 MiB and twice its budget at most, by measurement (`make bounds`). `longshore check` by kubectl exec counts here too, and
     takes 31 MiB. Another 19 MiB for what was not measured. */}}
{{- define "longshore.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $budget := include "longshore.mebibytes" (dict "key" "config.in_flight.bytes_max" "value" (dig "in_flight" "bytes_max" "256MiB" .Values.config)) | int64 -}}
{{- $limits := $resources.limits | default dict -}}
{{- if not (hasKey $limits "memory") -}}
{{- $limits = set $limits "memory" (printf "%dMi" (add 160 (mul 2 $budget))) -}}
{{- end -}}
{{- toYaml (set $resources "limits" $limits) -}}
{{- end -}}

{{/* What the chart sets itself comes out of its own values, and nowhere else. */}}
{{- define "longshore.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := required "config.queue.url: give the queue's address, such as https://sqs.eu-west-1.amazonaws.com/123456789012/portal-events" (dig "queue" "url" "" $config) -}}
{{- if or (hasKey ($config.db | default dict) "mongo_uri") (hasKey ($config.db | default dict) "mongo_uri_file") -}}
{{- fail "config.db.mongo_uri: a ConfigMap is no place for a password: put the connection string into a Secret, and name that in mongo.existingSecret" -}}
{{- end -}}
{{- if eq (dig "dead_letters" "queue" "" $config | default "" | trim) (trim $config.queue.url) -}}
{{- fail "config.dead_letters.queue: must be another queue than config.queue.url: records of dead letters would be received as messages" -}}
{{- end -}}
{{- if hasKey ($config.admin | default dict) "listen" -}}
{{- fail "config.admin.listen: set admin.host and admin.port, which the Service follows too" -}}
{{- end -}}
{{- if hasKey ($config.admin | default dict) "probes" -}}
{{- fail "config.admin.probes: set admin.host and admin.probesPort, which the probes follow too" -}}
{{- end -}}
{{- if hasKey ($config.admin | default dict) "hosts" -}}
{{- fail "config.admin.hosts: set admin.hosts, which the names of the Service are added to" -}}
{{- end -}}
{{- if eq (int .Values.admin.port) (int .Values.admin.probesPort) -}}
{{- fail "admin.probesPort: must be another than admin.port: what fills the page's listener would keep the probes out" -}}
{{- end -}}
{{- $admin := set ($config.admin | default dict) "listen" (printf "%s:%v" .Values.admin.host .Values.admin.port) -}}
{{- $_ := set $admin "probes" (printf "%s:%v" .Values.admin.host .Values.admin.probesPort) -}}
{{- $service := include "longshore.fullname" . -}}
{{- $names := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .Release.Namespace) -}}
{{- $_ := set $admin "hosts" (concat $names .Values.admin.hosts | uniq) -}}
{{- include "longshore.toml" (dict "path" "" "value" (set $config "admin" $admin)) -}}
{{- end -}}

{{/* A map as TOML: a line for each value, by its full path. Helm's own toToml makes 10000.0 of 10000. */}}
{{- define "longshore.toml" -}}
{{- $path := .path -}}
{{- range $key, $value := .value -}}
{{- $name := regexMatch "^[A-Za-z0-9_-]+$" $key | ternary $key (toJson $key) -}}
{{- if kindIs "map" $value -}}
{{- include "longshore.toml" (dict "path" (printf "%s%s." $path $name) "value" $value) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- printf "%s%s = %s\n" $path $name (include "longshore.tomlValue" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "longshore.tomlValue" -}}
{{- if kindIs "slice" . -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "longshore.tomlValue" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }} {{ toJson $key }} = {{ include "longshore.tomlValue" (get $ $key) }}{{ end }} }
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* The port of the collector: as it stands in its address, or as OTLP has it. */}}
{{- define "longshore.otelPort" -}}
{{- $port := regexFind ":[0-9]+" (.Values.otel.endpoint | trimPrefix "https:" | trimPrefix "http:") | trimPrefix ":" -}}
{{- $port | default (eq .Values.otel.protocol "grpc" | ternary 4317 4318) -}}
{{- end -}}

{{/* The port of an address: the one in it, or that of its scheme. */}}
{{- define "longshore.urlPort" -}}
{{- $rest := . | trimPrefix "https://" | trimPrefix "http://" -}}
{{- $port := regexFind ":[0-9]+$" (regexFind "^[^/?]*" $rest) | trimPrefix ":" -}}
{{- $port | default (hasPrefix "http://" . | ternary 80 443) -}}
{{- end -}}

{{/* The ports of the queues, and that of STS, which keys of one's own do without. */}}
{{- define "longshore.awsPorts" -}}
{{- $urls := list .Values.config.queue.url (dig "queue" "endpoint_url" "" .Values.config) (dig "dead_letters" "queue" "" .Values.config) -}}
{{- $ports := empty .Values.aws.credentialsSecret | ternary (list "443") list -}}
{{- range $urls | compact -}}
{{- $ports = append $ports (include "longshore.urlPort" .) -}}
{{- end -}}
{{- $ports | uniq | join "," -}}
{{- end -}}

{{/* What of a NetworkPolicy would keep out who is wanted, or says nothing. */}}
{{- define "longshore.refuseNetworkPolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.ingressFrom (not $policy.enabled) -}}
{{- fail "networkPolicy.ingressFrom: networkPolicy.enabled is false, so nobody is kept out: enable it, or leave ingressFrom empty" -}}
{{- end -}}
{{- if and $policy.enabled (not $policy.ingressFrom) -}}
{{- if .Values.serviceMonitor.enabled -}}
{{- fail "networkPolicy.ingressFrom: it is empty, so Prometheus cannot reach the metrics that serviceMonitor.enabled has it scrape: name its pods, for example [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- end -}}
{{- if .Values.admin.hosts -}}
{{- fail "networkPolicy.ingressFrom: it is empty, so nobody can call the admin server by the names of admin.hosts: name the pods of the Ingress or proxy" -}}
{{- end -}}
{{- end -}}
{{- if and $policy.otel.to (not .Values.otel.endpoint) -}}
{{- fail "networkPolicy.otel.to: otel.endpoint is empty, so nothing goes to a collector: set it, or leave networkPolicy.otel.to empty" -}}
{{- end -}}
{{- end -}}

{{- define "longshore.pod" -}}
serviceAccountName: {{ include "longshore.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "longshore.fullname" . }}
  - name: mongo
    secret:
      secretName: {{ include "longshore.mongoSecret" . }}
      defaultMode: 0440
      items:
        - key: {{ .Values.mongo.key }}
          path: uri
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What a container of the worker's image needs, whatever it runs. */}}
{{- define "longshore.container" -}}
image: {{ include "longshore.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
env:
  - name: LONGSHORE_CONFIG
    value: /etc/longshore/config/longshore.toml
  - name: LONGSHORE__DB__MONGO_URI_FILE
    value: /etc/longshore/mongo/uri
  # The image's own would beat the file.
  - name: LONGSHORE__ADMIN__LISTEN
    value: {{ printf "%s:%v" .Values.admin.host .Values.admin.port | quote }}
  {{- with .Values.aws.region }}
  - name: AWS_REGION
    value: {{ . }}
  {{- end }}
  {{- with .Values.otel.endpoint }}
  - name: OTEL_EXPORTER_OTLP_ENDPOINT
    value: {{ . }}
  - name: OTEL_EXPORTER_OTLP_PROTOCOL
    value: {{ $.Values.otel.protocol }}
  - name: OTEL_TRACES_SAMPLER
    value: parentbased_traceidratio
  - name: OTEL_TRACES_SAMPLER_ARG
    value: {{ $.Values.otel.sampleRatio | quote }}
  - name: OTEL_SERVICE_NAME
    value: {{ include "longshore.fullname" $ }}
  {{- end }}
  {{- range .Values.extraEnv }}
  {{- if has .name (list "MONGO_CACHE_URI" "LONGSHORE__DB__MONGO_URI") }}
  {{- fail (printf "extraEnv: %s would show the password to all who may read a Deployment: name its Secret in mongo.existingSecret" .name) }}
  {{- end }}
  {{- list . | toYaml | nindent 2 }}
  {{- end }}
{{- if or .Values.aws.credentialsSecret .Values.extraEnvFrom }}
envFrom:
  {{- with .Values.aws.credentialsSecret }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/longshore/config
    readOnly: true
  - name: mongo
    mountPath: /etc/longshore/mongo
    readOnly: true
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The region of the queue: KEDA asks it by itself. */}}
{{- define "longshore.region" -}}
{{- $inUrl := regexFind "sqs\\.[a-z0-9-]+\\.amazonaws" .Values.config.queue.url | trimPrefix "sqs." | trimSuffix ".amazonaws" -}}
{{- required "aws.region: config.queue.url does not tell it, and KEDA needs it" (.Values.aws.region | default $inUrl) -}}
{{- end -}}

{{- define "longshore.maxReplicas" -}}
{{- $held := dig "in_flight" "messages_max" 10000 .Values.config | int64 -}}
{{- $most := div 120000 $held -}}
{{- $max := int64 .Values.autoscaling.maxReplicas -}}
{{- if gt $max $most -}}
{{- fail (printf "autoscaling.maxReplicas: %d workers with config.in_flight.messages_max = %d may hold more than the 120,000 messages that SQS allows in flight: at most %d, or a smaller messages_max" $max $held $most) -}}
{{- end -}}
{{- if lt $max (int64 .Values.autoscaling.minReplicas) -}}
{{- fail "autoscaling.maxReplicas: must not be below autoscaling.minReplicas" -}}
{{- end -}}
{{- $max -}}
{{- end -}}

{{/* Not above what a worker holds: n workers whose hands are full must look like work for n. */}}
{{- define "longshore.messagesPerReplica" -}}
{{- $held := dig "in_flight" "messages_max" 10000 .Values.config | int64 -}}
{{- $target := int64 (.Values.autoscaling.keda.messagesPerReplica | default $held) -}}
{{- if gt $target $held -}}
{{- fail (printf "autoscaling.keda.messagesPerReplica: %d is more than the %d that a worker holds (config.in_flight.messages_max): workers with full hands would look half idle, be stopped, and be missed again" $target $held) -}}
{{- end -}}
{{- $target -}}
{{- end -}}
