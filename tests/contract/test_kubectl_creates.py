"""What kubectl's own commands create, which it sends in protobuf: each field is there afterwards, on both clusters."""

import base64
import json
import secrets

import pytest
import yaml

from tests.contract.arrange import namespace

LINES = """
create deployment web --image=example.com/web:1 --image=example.com/side:1 --replicas=2
create deployment cmd --image=example.com/web:1 --port=80 --replicas=0 -- sleep 10
create configmap cm --from-literal=a=1 --from-literal=empty=
create configmap binary --from-file=bin=FILE
create secret generic sec --from-literal=a=1 --type=example.com/own
create secret docker-registry dr --docker-username=u --docker-password=p --docker-server=s
create service clusterip svc --tcp=80:8080
create service clusterip headless --tcp=80:http --clusterip=None
create service nodeport np --tcp=80:http --node-port=NODEPORT
create service loadbalancer lb --tcp=80:80
create service externalname en --external-name=example.com
create serviceaccount sa
create role r --verb=get,list --resource=pods,deployments.apps --resource-name=x
create rolebinding rb --role=r --serviceaccount=default:sa --user=u --group=g
create clusterrole NS-one --verb=get --resource=pods
create clusterrole NS-two --verb=get --non-resource-url=/healthz
create clusterrole NS-three --aggregation-rule=a=b
create clusterrolebinding NS-bound --clusterrole=NS-one --user=u
create quota q --hard=pods=300,requests.memory=100Gi --scopes=NotTerminating
create job j --image=example.com/job:1 -- date
create job by-hand --from=cronjob/full
create cronjob cj --image=example.com/job:1 --schedule=@hourly --restart=Never -- date
create pdb p --selector=app=web,b=c --min-available=1
create pdb share --selector=app=web --max-unavailable=50%
create ingress in --rule=a.example.com/*=svc:80,tls=tls --class=x --default-backend=svc:http --annotation=a=b
autoscale deployment web --min=1 --max=3 --cpu=80%
autoscale deployment cmd --max=3 --memory=500Mi
create namespace NS-more
""".strip().splitlines()
#: What people write into CronJobs, as far as the tables have it.
FULL = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: full}
spec:
  schedule: "@yearly"
  jobTemplate:
    metadata: {labels: {a: b}, annotations: {c: d}}
    spec:
      parallelism: 2
      completions: 2
      activeDeadlineSeconds: 60
      backoffLimit: 0
      ttlSecondsAfterFinished: 0
      completionMode: Indexed
      suspend: true
      podReplacementPolicy: Failed
      template:
        metadata: {labels: {app: full}}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 0
          activeDeadlineSeconds: 50
          dnsPolicy: Default
          nodeSelector: {disk: ssd}
          serviceAccountName: default
          automountServiceAccountToken: false
          enableServiceLinks: false
          hostname: me
          subdomain: us
          imagePullSecrets: [{name: dr}]
          securityContext:
            {runAsUser: 0, runAsNonRoot: false, runAsGroup: 7, fsGroup: 8, supplementalGroups: [1, 2],
             fsGroupChangePolicy: Always, seccompProfile: {type: Localhost, localhostProfile: x.json}}
          tolerations: [{key: k, operator: Equal, value: v, effect: NoExecute, tolerationSeconds: 0}]
          volumes:
          - {name: empty, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
          - name: secret
            secret: {secretName: s, items: [{key: k, path: p, mode: 256}], defaultMode: 288, optional: true}
          - {name: map, configMap: {name: c, items: [{key: k, path: p}], defaultMode: 288, optional: false}}
          - {name: claim, persistentVolumeClaim: {claimName: c, readOnly: true}}
          initContainers: [{name: before, image: "example.com/init:1"}]
          containers:
          - name: main
            image: example.com/job:1
            command: [a]
            args: [b, c]
            workingDir: /tmp
            imagePullPolicy: Never
            stdin: true
            stdinOnce: true
            tty: true
            terminationMessagePath: /dev/out
            terminationMessagePolicy: FallbackToLogsOnError
            ports: [{name: http, containerPort: 80, protocol: UDP}]
            env:
            - {name: A, value: b}
            - {name: F, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}
            - {name: R, valueFrom: {resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}}
            - {name: C, valueFrom: {configMapKeyRef: {name: c, key: k, optional: true}}}
            - {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}
            envFrom: [{prefix: P_, configMapRef: {name: c, optional: false}}, {secretRef: {name: s}}]
            resources: {limits: {cpu: "1", memory: 1Gi}, requests: {cpu: 100m}}
            volumeMounts:
            - {name: empty, mountPath: /e, subPath: s}
            - {name: map, mountPath: /m, readOnly: true, subPathExpr: $(A)}
            securityContext:
              {privileged: false, runAsUser: 0, runAsNonRoot: false, runAsGroup: 7, readOnlyRootFilesystem: true,
               allowPrivilegeEscalation: false, capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]},
               seccompProfile: {type: RuntimeDefault}}
"""


@pytest.fixture
def run(kubectl, kubectl_endpoint, tmp_path):
    """kubectl as the administrator, in a namespace of the test's own; its output."""
    way, name = kubectl_endpoint.admin, f"creates-{secrets.token_hex(4)}"
    authority = tmp_path / "ca.pem"
    authority.write_text(way.certificate_authority)
    sign_in = [f"--server={way.server}", f"--token={way.credential}", f"--certificate-authority={authority}"]
    (tmp_path / "binary").write_bytes(b"\x00\xff")
    node_port = str(30000 + int(kubectl.version.split(".")[1]))  # of those that clusters do not choose themselves
    replaced = {"NODEPORT": node_port, "NS": name, "FILE": str(tmp_path / "binary")}

    def call(line: str, *more: str, given: str = "", code: int = 0) -> str:
        for word, value in replaced.items():
            line, given = line.replace(word, value), given.replace(word, value)
        before, dashes, after = line.partition(" -- ")
        done = kubectl(*before.split(), *more, "-n", name, *sign_in, *dashes.split(), *after.split(), given=given)
        assert done.returncode == code, (line, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    kubectl_endpoint.admin_client().apply(namespace(name))
    yield call
    for kind, ending in (("ClusterRole", "one two three"), ("ClusterRoleBinding", "bound"), ("Namespace", "more")):
        for each in ending.split():
            kubectl_endpoint.admin_client().delete(kind, f"{name}-{each}")
    kubectl_endpoint.admin_client().delete("Namespace", name)


def lost(sent, stored, path: str = "") -> list[str]:
    """The paths of what was sent and is not there."""
    if isinstance(sent, dict):
        there = stored if isinstance(stored, dict) else {}
        given = {key: value for key, value in sent.items() if value not in (None, {}) and key != "status"}
        return [each for key, value in given.items() for each in lost(value, there.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [each for at, value in enumerate(sent) for each in lost(value, stored[at], f"{path}[{at}]")]
    return [] if sent == stored else [f"{path}: {sent} became {stored}"]


def test_nothing_is_lost_of_what_is_created(run):
    run("apply -f -", given=FULL)
    for line in LINES:
        sent = json.loads(run(line, "--dry-run=client", "-o", "json"))
        stored = json.loads(run(line, "-o", "json"))
        assert lost(sent, stored) == [], line
    made = json.loads(run("get job by-hand -o json"))
    assert lost(yaml.safe_load(FULL)["spec"]["jobTemplate"]["spec"], made["spec"]) == []


def test_a_token_lasts_as_long_as_asked(run):
    run("create serviceaccount sa")
    claims = run("create token sa --duration=1h").split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said["exp"] - said["iat"] == 3600


def test_a_role_is_reconciled_with_its_metadata(run):
    role = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: NS, finalizers: [example.com/f], labels: {a: b}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""
    run("auth reconcile -f -", given=role)
    run("auth reconcile -f -", given=role.replace("get", "list").replace("a: b", "c: d"))
    found = json.loads(run("get role r -o json --show-managed-fields"))
    assert [rule["verbs"] for rule in found["rules"]] == [["get"], ["list"]]
    assert found["metadata"]["labels"] == {"a": "b", "c": "d"}
    assert found["metadata"]["finalizers"] == ["example.com/f"]
    assert found["metadata"]["managedFields"][0]["fieldsV1"]["f:rules"] == {}
    run('patch role r --type=merge -p {"metadata":{"finalizers":null}}')


@pytest.mark.parametrize("kubectl_endpoint", ["simulated"], indirect=True)
def test_what_the_simulated_cluster_does_not_read_is_an_error_that_names_it(run):
    affinity = FULL.replace("restartPolicy: Never", "restartPolicy: Never\n          affinity: {nodeAffinity: {}}")
    run("apply -f -", given=affinity)
    said = run("create job by-hand --from=cronjob/full", code=1)
    assert "the simulated cluster does not know field 18 of PodSpec in protobuf" in said
