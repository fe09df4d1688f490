"""Keys change: what was stored with a former one is still read, stored anew on demand, and never lost."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from environments import directory, kube
from environments.lib.errors import PermanentError
from environments.lib.stored_secrets import UnreadableSecret
from environments.models import Cluster, Directory
from environments.models.fields import SecretField
from tests.portal.local_people import SECRET, with_app

OLD, NEW = "o" * 60, "n" * 60

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(settings):
    """Sets the keys, which the fields remember once they were used."""

    def use(key, *former):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(former)
        for model, name in ((Cluster, "credential"), (Directory, "secret")):
            field = model._meta.get_field(name)
            field.__dict__.pop("keys", None)
            field.__dict__.pop("f", None)

    yield use
    settings.SECRET_KEY_FALLBACKS = []
    for model, name in ((Cluster, "credential"), (Directory, "secret")):
        field = model._meta.get_field(name)
        assert isinstance(field, SecretField)
        field.__dict__.pop("keys", None)
        field.__dict__.pop("f", None)


@pytest.fixture
def stored(keys):
    keys(OLD)
    Cluster.objects.create(slug="shared", name="Shared", server="https://127.0.0.1:1", credential="cluster-token")
    Directory.objects.create(name="IdP", kind="scim", url="https://127.0.0.1:1/scim", secret="directory-token")


def rotate():
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    return out.getvalue()


def raw(model, column):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {model._meta.db_table}")
        return cursor.fetchone()[0]


def test_a_former_key_still_decrypts(stored, keys):
    keys(NEW, OLD)
    assert Cluster.objects.get().credential == "cluster-token"
    assert Directory.objects.get(name="IdP").secret == "directory-token"


def test_after_rotating_the_former_key_can_go(stored, keys):
    keys(NEW, OLD)
    assert "newest key: 2" in rotate()
    keys(NEW)
    assert Cluster.objects.get().credential == "cluster-token"
    assert Directory.objects.get(name="IdP").secret == "directory-token"


def test_rotating_twice_changes_nothing_that_is_read(stored, keys):
    keys(NEW, OLD)
    rotate()
    rotate()
    assert Cluster.objects.get().credential == "cluster-token"


def test_a_lost_key_is_said_and_the_secret_is_kept_for_its_return(stored, keys):
    before = raw(Cluster, "credential")
    keys(NEW)
    row = Cluster.objects.get()
    assert isinstance(row.credential, UnreadableSecret)
    row.description = "saved by somebody meanwhile"
    row.save()
    with pytest.raises(CommandError, match="cluster Shared: credential"):
        rotate()
    assert raw(Cluster, "credential") == before
    keys(NEW, OLD)
    assert Cluster.objects.get().credential == "cluster-token"


def test_ciphertext_is_never_sent_to_anybody(stored, keys):
    keys(NEW)
    with pytest.raises(PermanentError, match="cannot be decrypted") as refused:
        kube.connect(Cluster.objects.get())
    assert refused.value.reason == "UnreadableSecret"
    with pytest.raises(PermanentError, match="cannot be decrypted"):
        directory.connect(Directory.objects.get(name="IdP"))


def test_what_was_entered_again_is_stored_with_the_new_key(stored, keys):
    keys(NEW)
    row = Cluster.objects.get()
    row.credential = "another"
    row.save()
    assert Cluster.objects.get().credential == "another"


def test_second_factors_move_to_the_new_key_too(local_accounts, dana, settings):
    from portal.local import second_factors

    with_app(dana)
    former = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [former]
    second_factors._cipher.cache_clear()
    try:
        assert "newest key: 2" in rotate()  # the app, and the seed of its recovery codes
        settings.SECRET_KEY_FALLBACKS = []
        second_factors._cipher.cache_clear()
        stored = dana.authenticator_set.get(type="totp").data["secret"]
        assert second_factors.MFAAdapter().decrypt(stored) == SECRET
    finally:
        second_factors._cipher.cache_clear()
