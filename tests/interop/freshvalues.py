"""Random values of every kind that LangGraph's serializer takes, the classes they need, and their
plain JSON (the form of the fixtures' oracles). Importable by name, so that the library revives them.
"""
import base64
import collections
import dataclasses
import enum
import ipaddress
import json
import math
import pathlib
import re
import struct
import typing
import uuid
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy
from langchain_core import messages as lc
from langchain_core.documents import Document
from langgraph.store.base import Item
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, SecretBytes, SecretStr


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, "two")


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**40


class Tone(str, enum.Enum):
    DRY = "dry"


@dataclasses.dataclass
class Point:
    x: typing.Any
    y: typing.Any = None


class Pair(typing.NamedTuple):
    left: typing.Any
    right: typing.Any


class Leaf(BaseModel):
    at: datetime
    name: str


class Tree(BaseModel):
    leaf: Leaf
    tags: set[str]
    secret: SecretStr
    extra: dict[str, typing.Any] = {}


# ---- plain JSON ---------------------------------------------------------------------------------

IPS = (ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network,
       ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network)


def offset(tz):
    s = int(tz.utcoffset(None).total_seconds())
    sign, s = ("-", -s) if s < 0 else ("+", s)
    seconds = ":%02d" % (s % 60) if s % 60 else ""
    return "%s%02d:%02d%s" % (sign, s // 3600, s // 60 % 60, seconds)


def plain_float(v):
    if math.isfinite(v):
        return float(v)
    return {"$float": "NaN" if v != v else "Infinity" if v > 0 else "-Infinity"}


def plain_dict(v):
    if all(isinstance(k, str) and not isinstance(k, enum.Enum) for k in v):
        return {str(k): plain(x) for k, x in v.items()}
    return {"$map": [[plain(k), plain(x)] for k, x in v.items()]}


def plain_number(v):
    return v if isinstance(v, bool) else int(v)


def plain_set(v):
    return sorted((plain(x) for x in v), key=json.dumps)


def plain_interrupt(v):
    return {"id": v.id, "value": plain(v.value)}


def has(name):
    return lambda v: callable(getattr(v, name, None))


def of(*types):
    return lambda v: isinstance(v, types)


# The first test that holds decides.
RULES = [
    (lambda v: v is None, lambda v: None),
    (of(enum.Enum), lambda v: plain(v.value)),
    (of(bytes, bytearray), lambda v: {"$bytes": base64.b64encode(bytes(v)).decode()}),
    (of(bool, int), plain_number),
    (of(float), plain_float),
    (of(str), str),
    (of(Interrupt), plain_interrupt),
    (of(Send), lambda v: {"node": v.node, "arg": plain(v.arg)}),
    (lambda v: type(v).__name__ == "_DeltaSnapshot", lambda v: plain(v.value)),
    (has("get_secret_value"), lambda v: "**********"),
    (has("model_dump"), lambda v: plain(v.model_dump())),
    (of(BaseException), repr),
    (of(datetime, date, time), lambda v: v.isoformat()),
    (of(timedelta), lambda v: {"$timedelta": v.total_seconds()}),
    (of(timezone), offset),
    (of(tzinfo), str),
    (of(uuid.UUID), lambda v: str(uuid.UUID(int=v.int))),
    (of(Decimal, pathlib.PurePath, *IPS), str),
    (of(re.Pattern), lambda v: {"pattern": plain(v.pattern), "flags": int(v.flags)}),
    (has("_asdict"), lambda v: plain(v._asdict())),
    (dataclasses.is_dataclass,
     lambda v: {f.name: plain(getattr(v, f.name)) for f in dataclasses.fields(v)}),
    (of(dict), plain_dict),
    (of(set, frozenset), plain_set),
    (of(list, tuple, collections.deque), lambda v: [plain(x) for x in v]),
    (of(numpy.ndarray), lambda v: plain(v.tolist())),
    (has("dict"), lambda v: plain(v.dict())),
]


def plain(v):
    for test, rule in RULES:
        if test(v):
            return rule(v)
    raise TypeError("no rule for %r" % type(v))


# ---- random values --------------------------------------------------------------------------------

ALPHABETS = ("abc xyz 019", "äöü ßéñ çøå", "日本語 한국어 中文", "🚀🎉👩‍👩‍👧 🏳️‍🌈", "שלום \u202eعربي",
             "\0\t\n\r\x1b[31m\x7f\x85\u2028", "\"'\\/<>&%$", "\u0301\ufeff\ufffd\uffff\U0010ffff")


def text(r):
    alphabet = r.choice(ALPHABETS)
    return "".join(r.choice(alphabet) for _ in range(r.choice((0, 1, 3, 8, 31, 32, 40, 300))))


def number(r):
    edge = r.choice((0, 1, 127, 128, 255, 256, 2**15, 2**16, 2**31, 2**32, 2**53, 2**63 - 1))
    return r.choice((edge, edge + 1, -edge, -edge - 1, 2**64 - 1, r.randrange(-10**6, 10**6)))


def real(r):
    bits = struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0]
    return r.choice((0.0, -0.0, 0.1, 1e16, 1e22, 5e-324, 1.7976931348623157e308, math.nan, math.inf,
                     -math.inf, 1 / 3, 100.0, 1e-7, 123456789.123, bits, bits))


def moment(r):
    zone = r.choice((None, timezone.utc, timezone(timedelta(hours=-5, minutes=-30)),
                     timezone(timedelta(seconds=3661), "odd"), ZoneInfo("Europe/Paris")))
    return datetime(r.randrange(1, 9999), r.randrange(1, 13), r.randrange(1, 29), r.randrange(24),
                    r.randrange(60), r.randrange(60), r.choice((0, 1, 500000, 123456)), zone)


def address(r):
    kind = r.choice(IPS)
    v6 = kind.__name__.startswith("IPv6")
    number6 = r.choice((0, 1, 0xFFFF00000000 | r.getrandbits(32), r.getrandbits(128)))
    host = (ipaddress.IPv6Address(number6) if v6 else ipaddress.IPv4Address(r.getrandbits(32)))
    if kind.__name__.endswith("Address"):
        return host
    bits = r.randrange(0, 129 if v6 else 33)
    if kind.__name__.endswith("Interface"):
        return kind("%s/%d" % (host, bits))
    return kind("%s/%d" % (host, bits), strict=False)


def array(r):
    return r.choice((
        lambda: numpy.array(real(r)),
        lambda: numpy.array([[real(r) for _ in range(3)] for _ in range(2)]),
        lambda: numpy.asfortranarray(numpy.arange(12, dtype="<i4").reshape(3, 4)),
        lambda: numpy.array([0.1, -0.0, 3e38], dtype="<f4"),
        lambda: numpy.array([True, False]), lambda: numpy.zeros((0, 3)),
        lambda: numpy.array([2**64 - 1, 0], dtype="<u8"),
        lambda: numpy.array([-128, 127], dtype="i1"),
        lambda: numpy.arange(1000, dtype="<i8"), lambda: numpy.arange(1001, dtype="<i8")))()


def call(r):
    return {"name": "lookup", "args": {"q": text(r), "n": number(r) % 2**31}, "id": "c%d" % r.randrange(99),
            "type": "tool_call"}


def message(r):
    """A message of any class, as an application makes it."""
    body, mid = text(r), r.choice((None, "m%d" % r.getrandbits(40)))
    parts = r.choice((body, [{"type": "text", "text": body}, {"type": "image_url", "url": "x"}]))
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    return r.choice((
        lambda: lc.HumanMessage(parts, id=mid, name=r.choice((None, "ann"))),
        lambda: lc.AIMessage(parts, id=mid, tool_calls=[call(r)], usage_metadata=usage),
        lambda: lc.AIMessage(body, id=mid, response_metadata={"model": "m", "n": real(r)}),
        lambda: lc.SystemMessage(parts, id=mid),
        lambda: lc.ToolMessage(body, tool_call_id="c1", id=mid, artifact={"raw": value(r, 1)},
                               status=r.choice(("success", "error"))),
        lambda: lc.FunctionMessage(content=body, name="f", id=mid),
        lambda: lc.ChatMessage(content=body, role="judge", id=mid),
        lambda: lc.HumanMessageChunk(body, id=mid), lambda: lc.AIMessageChunk(body, id=mid),
        lambda: lc.SystemMessageChunk(body, id=mid),
        lambda: lc.ToolMessageChunk(content=body, tool_call_id="c2", id=mid)))()


def atom(r):
    return r.choice((
        lambda: None, lambda: r.random() < 0.5, lambda: number(r), lambda: real(r), lambda: text(r),
        lambda: text(r), lambda: r.randbytes(r.choice((0, 1, 31, 255, 256))),
        lambda: bytearray(b"ba\xff"), lambda: moment(r), lambda: moment(r).date(),
        lambda: moment(r).timetz().replace(tzinfo=r.choice((None, timezone.utc))),
        lambda: timedelta(r.randrange(-999, 99999), r.randrange(86400), r.choice((0, 1, 250000))),
        lambda: timezone(timedelta(minutes=r.randrange(-1439, 1440))),
        lambda: ZoneInfo("Asia/Kolkata"), lambda: uuid.UUID(int=r.getrandbits(128)),
        lambda: Decimal(r.choice(("0", "1.10", "-1E+5", "NaN", "Infinity", "0.000000001"))),
        lambda: address(r), lambda: pathlib.Path(r.choice(("/a/b", "a b/c", ".", "/"))),
        lambda: re.compile(r.choice(("a+", "(?i)ü", "\\d\n")), r.choice((0, re.I, re.X | re.S))),
        lambda: re.compile(b"\xff.", re.M), lambda: r.choice((*Colour, *Level, *Tone)),
        lambda: SecretStr("hush"), lambda: SecretBytes(b"hush"), lambda: array(r),
        lambda: ValueError("wrong", 1)))()


def key(r):
    return r.choice((number(r), text(r), r.random() < 0.5, None, 0.5, b"\xff", ("a", 1)))


def member(r):
    return r.choice((number(r), text(r), None, b"\0", uuid.UUID(int=r.getrandbits(128)),
                     1.5, date(2026, 1, 2)))


def group(r, depth):
    def deeper():
        return value(r, depth - 1)

    def some():
        return [deeper() for _ in range(r.choice((0, 1, 2, 4, 17)))]

    return r.choice((
        some, some, lambda: tuple(some()), lambda: collections.deque(some()),
        lambda: {text(r): deeper() for _ in range(3)}, lambda: {key(r): deeper() for _ in range(3)},
        lambda: {"$type": deeper(), "$bytes": "no"}, lambda: collections.OrderedDict(b=deeper(), a=1),
        lambda: {member(r) for _ in range(4)}, lambda: frozenset(member(r) for _ in range(3)),
        lambda: Point(deeper(), deeper()), lambda: Pair(deeper(), deeper()),
        lambda: Leaf(at=moment(r), name=text(r)),
        lambda: Tree(leaf=Leaf(at=moment(r), name="n"), tags={"b", "a"}, secret=SecretStr("hush"),
                     extra={"k": deeper()}),
        lambda: message(r), lambda: Document(page_content=text(r), metadata={"n": deeper()}),
        lambda: Send("w", deeper()), lambda: Interrupt(value=deeper(), id="0" * 32),
        lambda: Item(value={"v": text(r)}, key="k", namespace=("a", "b"), created_at=moment(r),
                     updated_at=moment(r))))()


def value(r, depth=2):
    return atom(r) if depth <= 0 or r.random() < 0.45 else group(r, depth)


def user_metadata(r):
    """What config.metadata keeps: text, numbers, truth values."""
    pool = {"user": lambda: text(r).replace("\0", ""), "n": lambda: number(r), "vip": lambda: r.random() < 0.5,
            "weight": lambda: real(r), "a.b": lambda: "dotted", "ключ": lambda: 1}
    return {k: pool[k]() for k in r.sample(sorted(pool), r.randrange(len(pool)))}
