"""Names of namespaces and groups: always valid, never a system's, the same answer for the same input.

Source: RFC 1123 labels, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

import hashlib
import re
import secrets
import unicodedata
import uuid

MAX_LABEL = 63
MAX_GROUP = 120
NAMESPACE_PATTERN = "${owner}-${name}-${suffix}"
GROUP_PATTERN = "${namespace}-${role}"
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


def namespace(parts: dict[str, str], suffix: str, pattern: str = NAMESPACE_PATTERN) -> str:
    """The namespace for an environment: a valid label of at most 63 characters, whatever the parts say.

    `parts` has any text for owner, name, team, template and size. The suffix is never cut, the longest parts are.
    A name that would begin like a system's gets `env-`.
    """
    room = MAX_LABEL - len("-developer")  # group names carry the role as well
    slugs = {part: slug(text) for part, text in parts.items()} | {"suffix": suffix}
    found = _fit(pattern, slugs, room)
    if found == suffix or is_reserved(found):
        found = _fit(f"env-{pattern}", slugs, room)
    return found


def group(parts: dict[str, str], namespace_name: str, role: str, pattern: str = GROUP_PATTERN) -> str:
    """The directory group whose members hold a role in a namespace; `parts` as for the namespace."""
    slugs = {part: slug(text) for part, text in parts.items()} | {"namespace": namespace_name, "role": role}
    found = _join(pattern, slugs)
    if len(found) > MAX_GROUP:  # cut from what people type: the rest keeps groups apart
        tail = f"-{namespace_name}-{role}"
        found = found[: MAX_GROUP - len(tail)].rstrip("-") + tail
    return found


def account(environment_id: str, email: str) -> str:
    """The ServiceAccount of one member of one environment; nothing in it gives the person away."""
    digest = hashlib.sha256(f"{environment_id}/{email.lower()}".encode()).hexdigest()
    return f"member-{digest[:20]}"


def parts(*, owner_email: str, name: str, team: str = "", template: str = "", size: str = "") -> dict[str, str]:
    """What patterns may use; of the owner, the local part of their e-mail address."""
    return {"owner": owner_email.partition("@")[0], "name": name, "team": team, "template": template, "size": size}


def _fit(pattern: str, slugs: dict[str, str], room: int) -> str:
    """The pattern filled in, with the longest part cut as often as it takes."""
    slugs = dict(slugs)
    while len(found := _join(pattern, slugs)) > room:
        longest = max((part for part in slugs if part != "suffix"), key=lambda part: len(slugs[part]), default="")
        if not slugs.get(longest):
            stem = _join(pattern, slugs | {"suffix": ""})[: room - len(slugs["suffix"]) - 1].strip("-")
            return f"{stem}-{slugs['suffix']}"  # the pattern's own letters are too many
        slugs[longest] = slugs[longest][:-1]
    return found


def _join(pattern: str, slugs: dict[str, str]) -> str:
    filled = re.sub(r"\$\{([a-z]+)\}", lambda match: slugs.get(match[1], ""), pattern)
    return re.sub(r"-+", "-", filled).strip("-")


def label_value(text: str) -> str:
    """Any text as a valid label value (at most 63 of letters, digits, `-`, `_`, `.`)."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:MAX_LABEL]
    return cleaned.strip("-_.")
