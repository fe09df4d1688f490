"""Names of namespaces and groups: always valid, never a system's, the same answer for the same input.

Source: RFC 1123 labels, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

import re
import secrets
import unicodedata
import uuid

MAX_LABEL = 63
_SUFFIX_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"  # no vowels, no look-alikes: no words by accident
_SUFFIX_LENGTH = 5

#: Names and prefixes that belong to the cluster or to its platform.
RESERVED_NAMES = frozenset({"default", "kube", "kubernetes", "openshift", "istio-system", "cert-manager"})
RESERVED_PREFIXES = ("kube-", "openshift-", "default-", "istio-")


def slug(text: str) -> str:
    """Any text as lower-case ASCII letters, digits and single dashes; empty when nothing is left."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # An apostrophe joins: o'neil is oneil, not o-neil.
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower().replace("'", "")).strip("-")


def is_reserved(name: str) -> bool:
    """Whether a name is a system's own, or begins like one."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES)


def new_suffix() -> str:
    """Five random characters that keep two people's equal wishes apart."""
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))


def suffix_of(key: uuid.UUID) -> str:
    """The suffix that belongs to a request form, so that the form can show the name before it is sent."""
    number, letters = key.int, []
    for _ in range(_SUFFIX_LENGTH):
        number, index = divmod(number, len(_SUFFIX_ALPHABET))
        letters.append(_SUFFIX_ALPHABET[index])
    return "".join(letters)


def namespace(owner_email: str, name: str, suffix: str) -> str:
    """The namespace for an environment: `<owner>-<name>-<suffix>`, a valid label of at most 63 characters.

    The suffix is never cut; what comes before it is. A name that would begin like a system's gets `env-`.
    """
    owner = slug(owner_email.partition("@")[0])
    stem = "-".join(part for part in (owner, slug(name)) if part) or "env"
    if is_reserved(f"{stem}-"):
        stem = f"env-{stem}"
    room = MAX_LABEL - len(suffix) - 1 - len("-developer")  # group names carry the role as well
    return f"{stem[:room].strip('-')}-{suffix}"


def group(namespace_name: str, role: str) -> str:
    """The directory group whose members hold a role in a namespace."""
    return f"{namespace_name}-{role}"


def label_value(text: str) -> str:
    """Any text as a valid label value (at most 63 of letters, digits, `-`, `_`, `.`)."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:MAX_LABEL]
    return cleaned.strip("-_.")
