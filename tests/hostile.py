"""What others might write in the place of records: values of every kind, and records made over."""

import copy
import hashlib
import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from flatminima.errors import UserError

bounded = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The same examples every time, few enough for some seconds in all."""

few = settings(bounded, max_examples=20)
"""The same of what takes longer."""

NASTY = (
    "../../../../etc/passwd", "/dev/zero", "/etc/passwd", "a/../../b", "..", "", "a//b", "a\0b",
    "x" * 300, "\x1b[2J", "line\nmatch: all match", "\ud800", "\u202e", "C:\\x", "{x}", "<script>",
    "javascript:alert(1)", '"><img src=x onerror=alert(1)>', "published/../..", "results/tiny/..",
    "0" * 64, "é", "NaN",
)  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**63, -1]),
    st.floats(),
    st.sampled_from([1e308, 5e-324, -0.0, float("inf"), float("nan")]),
    st.text(max_size=8),
    st.sampled_from(NASTY),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
deep = st.sampled_from([10, 70, 300, 900]).map(lambda depth: json.loads("[" * depth + "]" * depth))


def places(record, at=()):
    """The path of everything in a record, by keys and positions."""
    yield at
    items = record.items() if isinstance(record, dict) else enumerate(record)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from places(inner, (*at, key))
        else:
            yield (*at, key)


@st.composite
def made_over(draw, record):
    """A record with one to three things in it replaced, added or gone."""
    changed = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(places(changed))))
        if not at:
            if draw(st.integers(0, 9)) == 0:
                return draw(values)
            changed[draw(st.text(max_size=4))] = draw(values)
            continue
        holder = changed
        for key in at[:-1]:
            holder = holder[key]
        way = draw(st.sampled_from(["replace", "replace", "like", "gone", "rename"]))
        if way == "gone":
            del holder[at[-1]]
        elif way == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(NASTY))] = holder.pop(at[-1])
        elif way == "like" and isinstance(holder[at[-1]], str):
            holder[at[-1]] = draw(st.sampled_from(NASTY))
        else:
            holder[at[-1]] = draw(st.one_of(values, deep))
        if not isinstance(changed, dict) or not changed:
            break
    return changed


def raw(record):
    """JSON as a careless writer writes it, with all that canonical JSON excludes."""
    try:
        text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False)
    except RecursionError:
        text = json.dumps(record, sort_keys=True)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def forged(record):
    """A record with an id that fits, as somebody who knows the rules would write it."""
    if not isinstance(record, dict):
        return raw(record)
    body = raw({key: value for key, value in record.items() if key != "id"})
    line = f'  "id": "{hashlib.sha256(body).hexdigest()}",\n'.encode()
    # Where canonical JSON has it, before the key that comes next; the id fits anywhere.
    following = min((key for key in record if key > "id"), default="")
    name = json.dumps(following, ensure_ascii=False).encode("utf-8", "surrogatepass")
    at = max(body.find(b"\n  " + name + b": ") + 1, 2)
    return body[:at] + line + body[at:]


def refused(call, *arguments):
    """Call; whether it refused in one line of a bearable length. Nothing but that may go wrong."""
    try:
        call(*arguments)
    except UserError as error:
        told = str(error)
        assert "\n" not in told
        assert len(told) < 1000
        return True
    return False
