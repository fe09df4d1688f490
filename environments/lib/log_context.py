"""What every log line says besides its message: which request, user, task, environment and step it belongs to.

Kept in context variables, so each request, task and step has its own. A thread of a pool begins with none: what is
handed to it goes through `carried`. What no line may say is kept here too, because adapters are where secrets pass.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Lock

#: A value, or what gives it when a line is written (the user of a request is known only later).
type Field = str | Callable[[], str]

_fields: ContextVar[dict[str, Field] | None] = ContextVar("log_fields", default=None)
_hidden: ContextVar[tuple[str, ...]] = ContextVar("log_hidden", default=())

MOST_SECRETS = 1000  # tokens are renewed: the oldest are over long before
_SHORTEST = 8  # characters: hiding less would black out ordinary words
_secrets: OrderedDict[str, None] = OrderedDict()
_secrets_lock = Lock()
_longest_first: tuple[str, ...] = ()


def begin(**fields: Field) -> None:
    """Begin anew: what was said before belongs to another request."""
    _fields.set(fields)
    _hidden.set(())


def add(**fields: Field) -> None:
    """Say these too until the block of `bound` around this ends."""
    _fields.set((_fields.get() or {}) | fields)


@contextmanager
def bound(**fields: Field) -> Iterator[None]:
    """Say these too for as long as the block lasts."""
    token = _fields.set((_fields.get() or {}) | fields)
    try:
        yield
    finally:
        _fields.reset(token)


def fields() -> dict[str, str]:
    """What a line written now has to say; empty values are left out."""
    values = {name: field() if callable(field) else field for name, field in (_fields.get() or {}).items()}
    return {name: value for name, value in values.items() if value}


def carried[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function, to be called once in another thread, with what is said here."""
    context = copy_context()

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(function, *args, **kwargs)

    return call


def hide(*texts: str) -> None:
    """Keep these out of the lines of this request or task (the key in an invitation's address)."""
    _hidden.set(_hidden.get() + tuple(text for text in texts if text))


def conceal(*secrets: str) -> None:
    """Keep these out of every line that this process writes from now on."""
    global _longest_first
    with _secrets_lock:
        before = len(_secrets)
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                _secrets.update({secret: None, repr(secret)[1:-1]: None})  # the latter as an error quotes it
        if len(_secrets) == before:
            return
        while len(_secrets) > MOST_SECRETS:
            _secrets.popitem(last=False)
        _longest_first = tuple(sorted(_secrets, key=len, reverse=True))  # one may be part of another


def without_secrets(text: str) -> str:
    """The text, with what was hidden or concealed as an ellipsis."""
    for hidden in (*_longest_first, *_hidden.get()):
        text = text.replace(hidden, "…")
    return text
