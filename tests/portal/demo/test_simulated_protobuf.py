"""Bodies in protobuf: as kubectl 1.37 sent them, and broken ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.demo.simulated import SimulatedCluster, protobuf
from portal.demo.simulated.kinds import KINDS as SERVED
from portal.demo.simulated.message_tables import KINDS, MESSAGES
from portal.demo.simulated.messages import message, of_kind
from tests.contract.arrange import Raw, Way

WHOAMI = bytes.fromhex(
    "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577"
    "121a0a100a0012001a0022002a0032003800420012060a040a0012001a002200"
)


def text(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + text(1, text(1, api_version.encode()) + text(2, kind.encode())) + text(2, raw)


def test_what_kubectl_sent_is_read():
    about = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    assert protobuf.decode(WHOAMI) == about | {"metadata": {}}  # a status is the server's


def test_an_empty_value_is_kept_only_where_it_differs_from_none():
    spec = bytes([1 << 3, 0]) + bytes([5 << 3, 0]) + bytes([7 << 3, 0])  # replicas, minReadySeconds, paused
    found = protobuf.decode(body("apps/v1", "Deployment", text(2, spec)))
    assert found["spec"] == {"replicas": 0}


def test_maps_lists_bytes_and_what_is_inline_are_as_in_json():
    data = text(2, text(1, b"a") + text(2, b"\x00\x01")) + text(2, text(1, b"b") + text(2, b""))
    found = protobuf.decode(body("v1", "Secret", data))
    assert found["data"] == {"a": "AAE=", "b": ""}
    volume = text(1, b"v") + text(2, text(2, text(1, b"Memory")))  # emptyDir, in the inline volumeSource
    pod = text(1, volume) + text(1, text(1, b"w"))
    found = protobuf.decode(body("batch/v1", "Job", text(2, text(6, text(2, pod)))))
    assert found["spec"]["template"]["spec"]["volumes"] == [
        {"name": "v", "emptyDir": {"medium": "Memory"}},
        {"name": "w"},
    ]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"{}", "expected prefix"),
        (WHOAMI[:-3], "unexpected EOF"),
        (body("v1", "Nothing", b""), 'the kind "Nothing" of "v1"'),
        (body("v1", "Secret", bytes([1 << 3, 1])), "wrong wireType"),
        (body("v1", "Secret", bytes([1 << 3 | 3])), "illegal wireType"),
        (body("v1", "Namespace", text(1, text(1, b"\xff"))), "utf-8"),
    ],
)
def test_what_is_broken_is_an_error_that_says_so(sent, why):
    with pytest.raises(ValueError, match=why):
        protobuf.decode(sent)


@given(st.sampled_from(["Job", "Deployment", "Secret", "Service"]), st.binary(max_size=200))
def test_whatever_comes_is_an_object_or_an_error(kind, raw):
    version = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "v1")
    try:
        assert protobuf.decode(body(version, kind, raw[:120]))["kind"] == kind
    except ValueError:
        return


AFFINITY = b"\x92\x01\x00"  # number 18, empty


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (body("v1", "Pod", b""), 'the kind "Pod" of "v1"'),
        (body("v1", "Secret", text(9, b"x")), "field 9 of Secret"),
        (body("batch/v1", "Job", text(2, text(6, text(2, AFFINITY)))), "field 18 of PodSpec"),
        (
            body("v1", "ConfigMap", text(2, text(1, b"a") + text(2, b"b") + text(3, b"c"))),
            "field 3 of an entry of data",
        ),
        (body("v1", "ConfigMap", b"") + text(3, b"gzip"), "field 3 of the envelope"),
        (b"k8s\0" + text(1, text(1, b"v1") + text(2, b"Secret") + text(3, b"x")), "field 3 of TypeMeta"),
    ],
)
def test_what_is_not_in_the_tables_is_refused_by_its_name(sent, what):
    with SimulatedCluster() as cluster:
        client = Raw(Way(cluster.url, cluster.admin_token))
        path = "/apis/batch/v1/namespaces/default/jobs"
        status, answer = client("POST", path, sent, protobuf.CONTENT_TYPE)
        client.close()
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert answer["message"].startswith(f"the simulated cluster does not know {what} in protobuf. ")


def test_the_tables_are_whole_and_have_nothing_else():
    reviews = ("SelfSubjectReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "TokenRequest")
    wanted = [(version, kind) for version, kinds in KINDS.items() for kind in kinds]
    assert {each for each in wanted if each[1] not in reviews} <= {(kind.api_version, kind.kind) for kind in SERVED}
    waiting = [of_kind(*each) for each in wanted]
    seen = set()
    while waiting:
        found = waiting.pop()
        seen.add(found.name)
        for field in found.fields.values():
            assert field.is_message or field.is_ignored or field.type in ("str", "int", "bool", "bytes"), field
            waiting += [message(field.type)] if field.is_message and field.type not in seen else []
    assert seen == MESSAGES.keys()
