{{/* What a process is told. Context: root, name, process (an entry of the values that has uses, settings, secrets). */}}
{{- define "tidegate.environment" -}}
{{- $root := .root -}}
- name: TIDEGATE_INSTANCE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $told := merge (dict) (.process.settings | default dict) }}
{{- range append .process.uses "all" }}
{{- $told = merge $told (get $root.Values.settings .) }}
{{- end }}
{{- range $name, $value := $told }}
{{- with tpl (toString $value) $root }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $name, $secret := .process.secrets }}
{{- with get $root.Values.secrets $secret }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- if and $root.Values.kafkaProperties (has "kafka" .process.uses) }}
- name: TIDEGATE_KAFKA_PROPERTIES_FILE
  value: /etc/tidegate/kafka.properties
{{- end }}
{{- if $root.Values.authorities }}
{{- range list "REQUESTS_CA_BUNDLE" "SSL_CERT_FILE" }}
- name: {{ . }}
  value: /etc/tidegate-authorities/ca.pem
{{- end }}
{{- end }}
{{- end }}

{{/* One container. Context: root, name, process, command, and optionally ports, probes, resources, pauseSeconds. */}}
{{- define "tidegate.container" -}}
- name: {{ .name }}
  image: "{{ .root.Values.image.registry }}{{ .process.image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: {{- toYaml .command | nindent 4 }}
  env: {{- include "tidegate.environment" . | nindent 4 }}
  {{- with .ports }}
  ports:
    {{- range $name, $port := . }}
    - {name: {{ $name }}, containerPort: {{ $port }}}
    {{- end }}
  {{- end }}
  {{- with .probes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .pauseSeconds }}
  lifecycle:
    preStop:
      exec: {command: [sleep, {{ . | quote }}]}
  {{- end }}
  resources: {{- toYaml .resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  volumeMounts:
    {{- range prepend (.process.scratch | default list) "/tmp" }}
    - {name: {{ trimPrefix "/" . | replace "/" "-" }}, mountPath: {{ . }}}
    {{- end }}
    {{- with .process.keeps }}
    - {name: kept, mountPath: {{ .path }}}
    {{- end }}
    {{- range $file, $path := .process.files }}
    - {name: files, mountPath: {{ $path }}, subPath: {{ $file }}, readOnly: true}
    {{- end }}
    {{- if and .root.Values.kafkaProperties (has "kafka" .process.uses) }}
    - {name: kafka, mountPath: /etc/tidegate, readOnly: true}
    {{- end }}
    {{- if .root.Values.authorities }}
    - {name: authorities, mountPath: /etc/tidegate-authorities, readOnly: true}
    {{- end }}
{{- end }}

{{/* Without service links: of a release named tidegate they would set TIDEGATE_GATEWAY_PORT, which is a setting. */}}
{{/* The parts of a pod's specification that all have, but for its containers. Context: root, name, process. */}}
{{- define "tidegate.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- range prepend (.process.scratch | default list) "/tmp" }}
  - {name: {{ trimPrefix "/" . | replace "/" "-" }}, emptyDir: {}}
  {{- end }}
  {{- if .process.files }}
  - name: files
    configMap: {name: {{ .root.Release.Name }}-{{ .name }}}
  {{- end }}
  {{- if and .root.Values.kafkaProperties (has "kafka" .process.uses) }}
  - name: kafka
    secret: {secretName: {{ .root.Values.kafkaProperties }}}
  {{- end }}
  {{- with .root.Values.authorities }}
  - name: authorities
    configMap: {name: {{ . }}}
  {{- end }}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Probes of our own services, which all answer at the same paths. */}}
{{- define "tidegate.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 2, failureThreshold: 60}
livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 5, timeoutSeconds: 3}
{{- end }}
