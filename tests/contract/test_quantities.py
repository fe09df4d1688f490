"""What the portal takes for a quantity, the API server takes too, with the same value."""

from decimal import ROUND_UP, Decimal

import pytest

from environments.lib import quantities
from environments.lib.errors import PermanentError
from environments.spec.figures import check_amount
from tests.contract.arrange import quota

TEXTS = (
    *("0", "1", "+1", "-0", "1.", ".5", "0.5", "1.50", "007", "500m", "1500m", "5n", "5u", "1k", "1M", "1G", "1T"),
    *("1P", "1E", "1Ki", "0.5Gi", "1.5Ti", "1e3", "1E3", "1e-3", "12e+2", "1e0", "9E", "9223372036854775807", "7Ei"),
    *("", "1 Gi", "1K", "1ki", "1KI", "1gi", "1mi", "1e", "1Ee", "1e3Gi", "1e3k", "1_000", "1,5", "1.5.5", "--1"),
    *("+-1", "0x10", "٣", "½", "inf", "nan", "1e1.5", "1m1", "${cpu}"),
)
#: The API server takes these as well. Nobody means them.
ODD = (" 1", "1 ", "Gi", "m", "e3", ".")


@pytest.mark.parametrize("text", TEXTS)
def test_the_portal_and_the_api_server_take_the_same_texts(portal, home, text):
    try:
        value = quantities.parse(text)
    except ValueError:
        with pytest.raises(PermanentError):
            portal.apply(quota(home, {"requests.cpu": text}))
        return
    live = portal.apply(quota(home, {"requests.cpu": text}))
    rounded = value.quantize(Decimal("0.001"), ROUND_UP)  # nothing is finer than a thousandth
    assert quantities.parse(live["spec"]["hard"]["requests.cpu"]) == rounded


@pytest.mark.parametrize("text", ODD)
def test_the_portal_does_not_take_what_nobody_means(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.parse(text)


@pytest.mark.parametrize(
    "resource",
    [
        *("pods", "services.nodeports", "count/deployments.apps", "configmaps", "example.com/thing"),
        *("requests.cpu", "limits.memory", "requests.storage", "requests.nvidia.com/gpu", "limits.nvidia.com/gpu"),
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims",
    ],
)
@pytest.mark.parametrize("text", ["1", "1.5", "500m", "2k", "-1"])
def test_an_amount_is_refused_by_the_portal_where_the_api_server_refuses_it(portal, home, resource, text):
    try:
        check_amount(resource, text)
    except ValueError:
        with pytest.raises(PermanentError, match="must be"):
            portal.apply(quota(home, {resource: text}))
    else:
        portal.apply(quota(home, {resource: text}))
