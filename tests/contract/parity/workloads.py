"""Deployments and what else runs pods, and how they are scaled."""

from tests.contract.parity.points import (
    HOME,
    Manifest,
    Request,
    an,
    container,
    deployment,
    listed,
    made,
    merged,
    pod,
    point,
    put,
    read,
    template,
    tried,
)


def _rolling(**how) -> Manifest:
    return deployment(strategy={"type": "RollingUpdate", "rollingUpdate": how})


_NEVER = {"spec": pod()["spec"] | {"restartPolicy": "Never"}}


def _job(**spec) -> Manifest:
    return an("Job", "j", "batch/v1", spec={"template": _NEVER} | spec)


def _cron(schedule: str = "@daily", **spec) -> Manifest:
    return an(
        "CronJob", "c", "batch/v1", spec={"schedule": schedule, "jobTemplate": {"spec": {"template": _NEVER}}} | spec
    )


def _stateful(**spec) -> Manifest:
    return an(
        "StatefulSet", "s", "apps/v1", spec={"selector": {"matchLabels": {"app": "web"}}, "template": template()} | spec
    )


_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def _scaler(**spec) -> Manifest:
    return an(
        "HorizontalPodAutoscaler", "h", "autoscaling/v2", spec={"scaleTargetRef": _TARGET, "maxReplicas": 3} | spec
    )


_OLD_SCALER = an(
    "HorizontalPodAutoscaler",
    "h",
    "autoscaling/v1",
    spec={"scaleTargetRef": _TARGET, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
)


def _budget(**spec) -> Manifest:
    return an("PodDisruptionBudget", "b", "policy/v1", spec={"selector": {"matchLabels": {"app": "web"}}} | spec)


def _claim(**spec) -> Manifest:
    usual = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return an("PersistentVolumeClaim", "c", spec=usual | spec)


#: what it is, code, and the object
_TRIED: tuple[tuple[str, int, Manifest], ...] = (
    ("a deployment", 201, deployment()),
    ("a deployment without a selector", 422, deployment(selector=None)),
    ("a deployment with an empty selector", 422, deployment(selector={})),
    ("a deployment whose pods are others", 422, deployment(template=template(labels={"app": "other"}))),
    ("a deployment whose pods have no labels", 422, deployment(template=template(labels={}))),
    (
        "a deployment of no containers",
        422,
        deployment(template={"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}),
    ),
    ("a deployment of fewer than no pods", 422, deployment(replicas=-1)),
    ("a deployment of pods that end", 422, deployment(template=template(restartPolicy="Never"))),
    ("a deployment of a container in capitals", 422, deployment(template=template(container("Main")))),
    (
        "a deployment of a request above its limit",
        422,
        deployment(template=template(container(requests={"cpu": "2"}, limits={"cpu": "1"}))),
    ),
    (
        "a deployment of a mount of no volume",
        422,
        deployment(template=template(container(volumeMounts=[{"name": "a", "mountPath": "/a"}]))),
    ),
    (
        "a deployment of a selector by terms",
        201,
        deployment(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
    ),
    (
        "a deployment of a selector by wrong terms",
        422,
        deployment(selector={"matchExpressions": [{"key": "app", "operator": "Like"}]}),
    ),
    ("a deployment with another strategy", 422, deployment(strategy={"type": "Sudden"})),
    (
        "a deployment that recreates with rolling",
        422,
        deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
    ),
    ("a deployment that cannot roll", 422, _rolling(maxSurge=0, maxUnavailable=0)),
    ("a deployment that rolls by too many", 422, _rolling(maxUnavailable="110%")),
    ("a deployment that rolls by nonsense", 422, _rolling(maxSurge="some")),
    ("a deployment with a negative wait", 422, deployment(minReadySeconds=-1)),
    ("a deployment whose deadline is its wait", 422, deployment(minReadySeconds=60, progressDeadlineSeconds=60)),
    ("a deployment of pods with a deadline", 422, deployment(template=template(activeDeadlineSeconds=5))),
    ("a stateful set", 201, _stateful(serviceName="s")),
    ("a stateful set without a service", 201, _stateful()),
    ("a stateful set with another strategy", 422, _stateful(updateStrategy={"type": "Sudden"})),
    ("a stateful set of pods that end", 422, _stateful(template=template(restartPolicy="Never"))),
    ("a stateful set that is managed in another way", 422, _stateful(podManagementPolicy="Often")),
    ("a daemon set", 201, an("DaemonSet", "d", "apps/v1", spec=deployment()["spec"])),
    ("a daemon set without a selector", 422, an("DaemonSet", "d", "apps/v1", spec={"template": template()})),
    ("a replica set", 201, an("ReplicaSet", "r", "apps/v1", spec=deployment()["spec"])),
    ("a job", 201, _job()),
    ("a job that always restarts", 422, an("Job", "j", "batch/v1", spec={"template": {"spec": pod()["spec"]}})),
    ("a job that fails fewer times than never", 422, _job(backoffLimit=-1)),
    ("a job of fewer than no pods", 422, _job(parallelism=-1)),
    ("a job with a deadline before it begins", 422, _job(activeDeadlineSeconds=-1)),
    ("a job of another way to complete", 422, _job(completionMode="Often")),
    ("a job with a selector", 422, _job(selector={"matchLabels": {"a": "b"}})),
    ("a cron job", 201, _cron()),
    ("a cron job of five fields", 201, _cron("*/5 1-3 * jan mon-fri")),
    ("a cron job of four fields", 422, _cron("* * * *")),
    ("a cron job of minute 60", 422, _cron("60 * * * *")),
    ("a cron job of nonsense", 422, _cron("now and then")),
    ("a cron job without a schedule", 422, _cron("")),
    ("a cron job with a zone in its schedule", 422, _cron("TZ=UTC * * * * *")),
    ("a cron job of a zone", 201, _cron(timeZone="Europe/Berlin")),
    ("a cron job of a zone that is none", 422, _cron(timeZone="Europe/Nowhere")),
    ("a cron job of another concurrency", 422, _cron(concurrencyPolicy="Maybe")),
    ("a cron job with a negative history", 422, _cron(successfulJobsHistoryLimit=-1)),
    ("a cron job whose name is too long", 422, _cron() | {"metadata": {"name": "a" * 53, "namespace": HOME}}),
    ("an autoscaler", 201, _scaler(metrics=[_CPU])),
    ("an autoscaler without metrics", 201, _scaler()),
    ("an autoscaler with less than its minimum", 422, _scaler(minReplicas=4)),
    ("an autoscaler of nothing", 422, _scaler(maxReplicas=0)),
    ("an autoscaler down to zero", 422, _scaler(minReplicas=0)),
    ("an autoscaler of no target", 422, _scaler(scaleTargetRef={"kind": "Deployment", "name": ""})),
    ("an autoscaler of a metric of no sort", 422, _scaler(metrics=[{"type": "Luck"}])),
    ("an autoscaler of a metric without a target", 422, _scaler(metrics=[{"type": "Resource"}])),
    ("an autoscaler of the first version", 201, _OLD_SCALER),
    ("a budget", 201, _budget(minAvailable=1)),
    ("a budget of a share", 201, _budget(maxUnavailable="50%")),
    ("a budget of two bounds", 422, _budget(minAvailable=1, maxUnavailable=1)),
    ("a budget of a negative bound", 422, _budget(minAvailable=-1)),
    ("a budget of a share too large", 422, _budget(minAvailable="150%")),
    ("a budget of nonsense", 422, _budget(minAvailable="some")),
    ("a claim", 201, _claim()),
    ("a claim without access", 422, _claim(accessModes=[])),
    ("a claim of another access", 422, _claim(accessModes=["ReadSometimes"])),
    ("a claim of no size", 422, _claim(resources={})),
    ("a claim of size 0", 422, _claim(resources={"requests": {"storage": "0"}})),
    ("a claim of a negative size", 422, _claim(resources={"requests": {"storage": "-1Gi"}})),
    ("a claim of a class in capitals", 422, _claim(storageClassName="Gold")),
    ("a claim of another mode", 422, _claim(volumeMode="Tape")),
    ("an endpoint", 201, an("Endpoints", "e", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}])),
    (
        "two variables of one name",
        201,
        deployment(template=template(container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]))),
    ),
    ("an annotation of old", 201, pod(metadata={"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}})),
    ("a node's label of old", 201, deployment(template=template(nodeSelector={"beta.kubernetes.io/arch": "amd64"}))),
    (
        "an ingress of a class by annotation",
        201,
        an(
            "Ingress",
            "i",
            "networking.k8s.io/v1",
            metadata={"annotations": {"kubernetes.io/ingress.class": "a"}},
            spec={"defaultBackend": {"service": {"name": "a", "port": {"number": 1}}}},
        ),
    ),
)

_SIZE = "kind apiVersion spec.replicas"


def _scale(replicas: int, name: str = "web") -> Manifest:
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"replicas": replicas},
    }


_MANY = made(deployment(replicas=3))
_DEFAULTS = (
    "spec.replicas spec.strategy spec.updateStrategy spec.revisionHistoryLimit spec.progressDeadlineSeconds "
    "spec.backoffLimit spec.completions spec.parallelism spec.suspend spec.concurrencyPolicy spec.minReplicas "
    "spec.metrics[].type spec.targetCPUUtilizationPercentage spec.volumeMode spec.podManagementPolicy "
    "spec.template.spec.restartPolicy spec.template.spec.dnsPolicy metadata.generation"
)

POINTS = (
    *(point(name, code, tried(found), fields=_DEFAULTS) for name, code, found in _TRIED),
    point("the size of a deployment", 200, _MANY, read(deployment(), "scale"), fields=_SIZE),
    point("the size of a deployment, changed", 200, _MANY, put(deployment(), "scale", body=_scale(5)), fields=_SIZE),
    point(
        "what a changed size makes",
        200,
        _MANY,
        put(deployment(), "scale", body=_scale(5)),
        read(deployment()),
        fields="spec.replicas metadata.generation",
    ),
    point(
        "the size of a deployment, patched",
        200,
        _MANY,
        merged(deployment(), {"spec": {"replicas": 2}}, "scale"),
        fields=_SIZE,
    ),
    point(
        "the size of a stateful set",
        200,
        made(_stateful()),
        merged(_stateful(), {"spec": {"replicas": 2}}, "scale"),
        fields=_SIZE,
    ),
    point(
        "the size of a replica set",
        200,
        made(an("ReplicaSet", "r", "apps/v1", spec=deployment()["spec"])),
        read(an("ReplicaSet", "r", "apps/v1"), "scale"),
        fields=_SIZE,
    ),
    point("a negative size", 422, _MANY, put(deployment(), "scale", body=_scale(-1))),
    point("a size of another name", 400, _MANY, put(deployment(), "scale", body=_scale(1, "other"))),
    point("the size of what is not there", 404, read(deployment(), "scale")),
    point(
        "the size of a daemon set",
        404,
        made(an("DaemonSet", "d", "apps/v1", spec=deployment()["spec"])),
        read(an("DaemonSet", "d", "apps/v1"), "scale"),
    ),
    point(
        "the first autoscaler, read as the second",
        200,
        made(_OLD_SCALER),
        read(_scaler()),
        fields="apiVersion spec.metrics spec.maxReplicas",
    ),
    point(
        "the second autoscaler, read as the first",
        200,
        made(_scaler(metrics=[_CPU])),
        read(_OLD_SCALER),
        fields="apiVersion spec.targetCPUUtilizationPercentage",
    ),
    point(
        "the first autoscalers, listed",
        200,
        made(_OLD_SCALER),
        listed(_OLD_SCALER),
        fields="apiVersion kind items[].spec.targetCPUUtilizationPercentage",
    ),
    point(
        "a deployment restarted",
        200,
        _MANY,
        merged(
            deployment(),
            {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}},
        ),
        fields="metadata.generation spec.template.metadata",
    ),
    point(
        "a status by a merge patch",
        200,
        made(pod()),
        merged(pod(), {"status": {"phase": "Running"}}, "status"),
        fields="status.phase",
    ),
    point(
        "a status beside the object",
        200,
        made(pod()),
        merged(pod(), {"status": {"phase": "Running"}}),
        fields="status.phase",
    ),
    point(
        "a pod evicted",
        201,
        made(pod()),
        Request(
            "POST",
            f"/api/v1/namespaces/{HOME}/pods/pod/eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "pod"}},
        ),
    ),
)
