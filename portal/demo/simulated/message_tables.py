"""The numbers of the fields in what kubectl sends in protobuf, as far as its commands set them.

These are the objects of `kubectl create`, `autoscale` and `auth`; everything else, `apply`, `run` and `expose` too, is
JSON. Metadata are whole, because `auth reconcile` sends back what it got. Pod templates are those of
`create deployment` and `create job`, and what people write into CronJobs that they start by hand with
`create job --from`. A number that is not here is an error that names it.

An entry is a field's name in JSON and its type: text without one, `[T]` a list of T, `{T}` a map from text to T. A `?`
marks a plain value that may be absent, so that an empty one means something. A field `...` has no name in JSON: its
fields stand in its place. `Ignored` is a status, which the API server does not take from clients.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ for names and types,
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding for the encoding. The contract tests hold
the numbers: what kubectl creates has to be the same on this cluster and on a real one.
"""

KINDS = {
    "v1": ("ConfigMap", "Namespace", "ResourceQuota", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment",),
    "authentication.k8s.io/v1": ("SelfSubjectReview", "TokenRequest"),
    "authorization.k8s.io/v1": ("SelfSubjectAccessReview", "SelfSubjectRulesReview"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("CronJob", "Job"),
    "networking.k8s.io/v1": ("Ingress",),
    "policy/v1": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io/v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
}

type _Table = dict[str, dict[int, str]]


def _kind(spec: str) -> dict[int, str]:
    """The fields of most kinds."""
    return {1: "metadata: ObjectMeta", 2: f"spec: {spec}", 3: "status: Ignored"}


_META: _Table = {
    "ObjectMeta": {
        1: "name",
        2: "generateName",
        3: "namespace",
        4: "selfLink",
        5: "uid",
        6: "resourceVersion",
        7: "generation: int",
        8: "creationTimestamp: Time",
        9: "deletionTimestamp: Time",
        10: "deletionGracePeriodSeconds?: int",
        11: "labels: {str}",
        12: "annotations: {str}",
        13: "ownerReferences: [OwnerReference]",
        14: "finalizers: [str]",
        17: "managedFields: [ManagedFieldsEntry]",
    },
    "ManagedFieldsEntry": {
        1: "manager",
        2: "operation",
        3: "apiVersion",
        4: "time: Time",
        6: "fieldsType",
        7: "fieldsV1: FieldsV1",
        8: "subresource",
    },
    "OwnerReference": {
        1: "kind",
        3: "name",
        4: "uid",
        5: "apiVersion",
        6: "controller?: bool",
        7: "blockOwnerDeletion?: bool",
    },
    "LabelSelector": {1: "matchLabels: {str}", 2: "matchExpressions: [LabelSelectorRequirement]"},
    "LabelSelectorRequirement": {1: "key", 2: "operator", 3: "values: [str]"},
    # JSON has these in another form: see protobuf.py.
    "FieldsV1": {1: "Raw: bytes"},
    "Time": {1: "seconds: int", 2: "nanos: int"},
    "Quantity": {1: "string"},
    "IntOrString": {1: "type: int", 2: "intVal: int", 3: "strVal"},
}

_CORE: _Table = {
    "Namespace": _kind("NamespaceSpec"),
    "NamespaceSpec": {1: "finalizers: [str]"},
    "ConfigMap": {1: "metadata: ObjectMeta", 2: "data: {str}", 3: "binaryData: {bytes}", 4: "immutable?: bool"},
    "Secret": {1: "metadata: ObjectMeta", 2: "data: {bytes}", 3: "type", 4: "stringData: {str}", 5: "immutable?: bool"},
    "ServiceAccount": {1: "metadata: ObjectMeta"},
    "ResourceQuota": _kind("ResourceQuotaSpec"),
    "ResourceQuotaSpec": {1: "hard: {Quantity}", 2: "scopes: [str]"},
    "Service": _kind("ServiceSpec"),
    "ServiceSpec": {
        1: "ports: [ServicePort]",
        2: "selector: {str}",
        3: "clusterIP",
        4: "type",
        7: "sessionAffinity",
        8: "loadBalancerIP",
        10: "externalName",
        11: "externalTrafficPolicy",
        12: "healthCheckNodePort: int",
        13: "publishNotReadyAddresses: bool",
    },
    "ServicePort": {1: "name", 2: "protocol", 3: "port: int", 4: "targetPort: IntOrString", 5: "nodePort: int"},
}

_PODS: _Table = {
    "PodTemplateSpec": {1: "metadata: ObjectMeta", 2: "spec: PodSpec"},
    "PodSpec": {
        1: "volumes: [Volume]",
        2: "containers: [Container]",
        3: "restartPolicy",
        4: "terminationGracePeriodSeconds?: int",
        5: "activeDeadlineSeconds?: int",
        6: "dnsPolicy",
        7: "nodeSelector: {str}",
        8: "serviceAccountName",
        9: "serviceAccount",
        10: "nodeName",
        11: "hostNetwork: bool",
        12: "hostPID: bool",
        13: "hostIPC: bool",
        14: "securityContext: PodSecurityContext",
        15: "imagePullSecrets: [LocalObjectReference]",
        16: "hostname",
        17: "subdomain",
        19: "schedulerName",
        20: "initContainers: [Container]",
        21: "automountServiceAccountToken?: bool",
        22: "tolerations: [Toleration]",
        24: "priorityClassName",
        30: "enableServiceLinks?: bool",
    },
    "PodSecurityContext": {
        2: "runAsUser?: int",
        3: "runAsNonRoot?: bool",
        4: "supplementalGroups: [int]",
        5: "fsGroup?: int",
        6: "runAsGroup?: int",
        9: "fsGroupChangePolicy?",
        10: "seccompProfile: SeccompProfile",
    },
    "SeccompProfile": {1: "type", 2: "localhostProfile?"},
    "Toleration": {1: "key", 2: "operator", 3: "value", 4: "effect", 5: "tolerationSeconds?: int"},
    "LocalObjectReference": {1: "name"},
    "Container": {
        1: "name",
        2: "image",
        3: "command: [str]",
        4: "args: [str]",
        5: "workingDir",
        6: "ports: [ContainerPort]",
        7: "env: [EnvVar]",
        8: "resources: ResourceRequirements",
        9: "volumeMounts: [VolumeMount]",
        13: "terminationMessagePath",
        14: "imagePullPolicy",
        15: "securityContext: SecurityContext",
        16: "stdin: bool",
        17: "stdinOnce: bool",
        18: "tty: bool",
        19: "envFrom: [EnvFromSource]",
        20: "terminationMessagePolicy",
    },
    "ContainerPort": {1: "name", 2: "hostPort: int", 3: "containerPort: int", 4: "protocol", 5: "hostIP"},
    "ResourceRequirements": {1: "limits: {Quantity}", 2: "requests: {Quantity}"},
    "SecurityContext": {
        1: "capabilities: Capabilities",
        2: "privileged?: bool",
        4: "runAsUser?: int",
        5: "runAsNonRoot?: bool",
        6: "readOnlyRootFilesystem?: bool",
        7: "allowPrivilegeEscalation?: bool",
        8: "runAsGroup?: int",
        11: "seccompProfile: SeccompProfile",
    },
    "Capabilities": {1: "add: [str]", 2: "drop: [str]"},
    "EnvVar": {1: "name", 2: "value", 3: "valueFrom: EnvVarSource"},
    "EnvVarSource": {
        1: "fieldRef: ObjectFieldSelector",
        2: "resourceFieldRef: ResourceFieldSelector",
        3: "configMapKeyRef: KeySelector",
        4: "secretKeyRef: KeySelector",
    },
    "ObjectFieldSelector": {1: "apiVersion", 2: "fieldPath"},
    "ResourceFieldSelector": {1: "containerName", 2: "resource", 3: "divisor: Quantity"},
    "KeySelector": {1: "...: LocalObjectReference", 2: "key", 3: "optional?: bool"},  # of a ConfigMap or a Secret
    "EnvFromSource": {1: "prefix", 2: "configMapRef: EnvSource", 3: "secretRef: EnvSource"},
    "EnvSource": {1: "...: LocalObjectReference", 2: "optional?: bool"},
    "VolumeMount": {1: "name", 2: "readOnly: bool", 3: "mountPath", 4: "subPath", 6: "subPathExpr"},
    "Volume": {1: "name", 2: "...: VolumeSource"},
    "VolumeSource": {
        2: "emptyDir: EmptyDirVolumeSource",
        6: "secret: SecretVolumeSource",
        10: "persistentVolumeClaim: PersistentVolumeClaimVolumeSource",
        19: "configMap: ConfigMapVolumeSource",
    },
    "EmptyDirVolumeSource": {1: "medium", 2: "sizeLimit?: Quantity"},
    "SecretVolumeSource": {1: "secretName", 2: "items: [KeyToPath]", 3: "defaultMode?: int", 4: "optional?: bool"},
    "ConfigMapVolumeSource": {
        1: "...: LocalObjectReference",
        2: "items: [KeyToPath]",
        3: "defaultMode?: int",
        4: "optional?: bool",
    },
    "KeyToPath": {1: "key", 2: "path", 3: "mode?: int"},
    "PersistentVolumeClaimVolumeSource": {1: "claimName", 2: "readOnly: bool"},
}

_WORKLOADS: _Table = {
    "Deployment": _kind("DeploymentSpec"),
    "DeploymentSpec": {
        1: "replicas?: int",
        2: "selector: LabelSelector",
        3: "template: PodTemplateSpec",
        4: "strategy: DeploymentStrategy",
        5: "minReadySeconds: int",
        7: "paused: bool",
    },
    "DeploymentStrategy": {1: "type"},
    "Job": _kind("JobSpec"),
    "JobSpec": {
        1: "parallelism?: int",
        2: "completions?: int",
        3: "activeDeadlineSeconds?: int",
        6: "template: PodTemplateSpec",
        7: "backoffLimit?: int",
        8: "ttlSecondsAfterFinished?: int",
        9: "completionMode?",
        10: "suspend?: bool",
        14: "podReplacementPolicy?",
    },
    "CronJob": _kind("CronJobSpec"),
    "CronJobSpec": {1: "schedule", 3: "concurrencyPolicy", 5: "jobTemplate: JobTemplateSpec"},
    "JobTemplateSpec": {1: "metadata: ObjectMeta", 2: "spec: JobSpec"},
    "HorizontalPodAutoscaler": _kind("HorizontalPodAutoscalerSpec"),
    "HorizontalPodAutoscalerSpec": {
        1: "scaleTargetRef: CrossVersionObjectReference",
        2: "minReplicas?: int",
        3: "maxReplicas: int",
        4: "metrics: [MetricSpec]",
    },
    "CrossVersionObjectReference": {1: "kind", 2: "name", 3: "apiVersion"},
    "MetricSpec": {1: "type", 4: "resource: ResourceMetricSource"},
    "ResourceMetricSource": {1: "name", 2: "target: MetricTarget"},
    "MetricTarget": {1: "type", 3: "averageValue?: Quantity", 4: "averageUtilization?: int"},
    "PodDisruptionBudget": _kind("PodDisruptionBudgetSpec"),
    "PodDisruptionBudgetSpec": {
        1: "minAvailable?: IntOrString",
        2: "selector: LabelSelector",
        3: "maxUnavailable?: IntOrString",
    },
}

_NETWORKING: _Table = {
    "Ingress": _kind("IngressSpec"),
    "IngressSpec": {
        1: "defaultBackend: IngressBackend",
        2: "tls: [IngressTLS]",
        3: "rules: [IngressRule]",
        4: "ingressClassName?",
    },
    "IngressTLS": {1: "hosts: [str]", 2: "secretName"},
    "IngressRule": {1: "host", 2: "...: IngressRuleValue"},
    "IngressRuleValue": {1: "http: HTTPIngressRuleValue"},
    "HTTPIngressRuleValue": {1: "paths: [HTTPIngressPath]"},
    "HTTPIngressPath": {1: "path", 2: "backend: IngressBackend", 3: "pathType?"},
    "IngressBackend": {4: "service: IngressServiceBackend"},
    "IngressServiceBackend": {1: "name", 2: "port: ServiceBackendPort"},
    "ServiceBackendPort": {1: "name", 2: "number: int"},
}

_RBAC: _Table = {
    "Role": {1: "metadata: ObjectMeta", 2: "rules: [PolicyRule]"},
    "ClusterRole": {1: "metadata: ObjectMeta", 2: "rules: [PolicyRule]", 3: "aggregationRule: AggregationRule"},
    "AggregationRule": {1: "clusterRoleSelectors: [LabelSelector]"},
    "PolicyRule": {
        1: "verbs: [str]",
        2: "apiGroups: [str]",
        3: "resources: [str]",
        4: "resourceNames: [str]",
        5: "nonResourceURLs: [str]",
    },
    "RoleBinding": {1: "metadata: ObjectMeta", 2: "subjects: [Subject]", 3: "roleRef: RoleRef"},
    "ClusterRoleBinding": {1: "metadata: ObjectMeta", 2: "subjects: [Subject]", 3: "roleRef: RoleRef"},
    "Subject": {1: "kind", 2: "apiGroup", 3: "name", 4: "namespace"},
    "RoleRef": {1: "apiGroup", 2: "kind", 3: "name"},
}

_REVIEWS: _Table = {
    "SelfSubjectReview": {1: "metadata: ObjectMeta", 2: "status: Ignored"},
    "SelfSubjectAccessReview": _kind("SelfSubjectAccessReviewSpec"),
    "SelfSubjectAccessReviewSpec": {
        1: "resourceAttributes: ResourceAttributes",
        2: "nonResourceAttributes: NonResourceAttributes",
    },
    "ResourceAttributes": {
        1: "namespace",
        2: "verb",
        3: "group",
        4: "version",
        5: "resource",
        6: "subresource",
        7: "name",
    },
    "NonResourceAttributes": {1: "path", 2: "verb"},
    "SelfSubjectRulesReview": _kind("SelfSubjectRulesReviewSpec"),
    "SelfSubjectRulesReviewSpec": {1: "namespace"},
    "TokenRequest": _kind("TokenRequestSpec"),
    "TokenRequestSpec": {
        1: "audiences: [str]",
        3: "boundObjectRef: BoundObjectReference",
        4: "expirationSeconds?: int",
    },
    "BoundObjectReference": {1: "kind", 2: "apiVersion", 3: "name", 4: "uid"},
}

MESSAGES: _Table = _META | _CORE | _PODS | _WORKLOADS | _NETWORKING | _RBAC | _REVIEWS
