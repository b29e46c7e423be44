"""Comparing what `ckpt` prints with what a LangGraph library reads: shared by compare.py (recorded
oracles) and tests/interop/test_fresh.py (the library in the same process). Standard library only.

Belongs here: running ckpt, equality of values, one checkpoint against its oracle entry (the
fields of an entry are those of the fixtures' oracle.json). What is expected of which store does not.
"""
import base64
import collections
import datetime
import hashlib
import json
import os
import re
import struct
import subprocess
import uuid

CKPT = os.environ.get("CKPT", os.path.join("build", "ckpt"))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MISSING = "(not there)"


# ---- running ckpt -------------------------------------------------------------------------------

class Run:
    """One finished `ckpt` process."""

    def __init__(self, args, env=None):
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("CKPT_", "LANGGRAPH_", "PG"))}
        p = subprocess.run([CKPT, *args], stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=120, env={**clean, **(env or {})})
        self.args, self.code, self.out = args, p.returncode, p.stdout
        self.err = p.stderr.decode("utf-8", "replace")

    def json(self):
        return loads(self.out)

    def lines(self):
        return [loads(x) for x in self.out.splitlines()]

    def __str__(self):
        return "ckpt %s: exit %d: %s" % (" ".join(map(repr, self.args)), self.code,
                                         self.err.strip()[:300])


def refuse_constant(text):
    raise ValueError("%s is not JSON" % text)


def loads(text):
    """Strict JSON: no NaN tokens, valid UTF-8, no raw control bytes."""
    return json.loads(bytes(text).decode("utf-8"), parse_constant=refuse_constant)


def at(store):
    """Arguments that lead to a store: a path or address, or that with more options behind it."""
    return ["-s", *store] if isinstance(store, tuple) else ["-s", str(store)]


def show(store, thread, ns, cid, *more, env=None):
    return Run(["show", *at(store), "--thread=" + thread, "--ns=" + ns, "--checkpoint=" + cid,
                "--json", *more], env)


# ---- counting and complaining ---------------------------------------------------------------------

class Tally:
    """What was compared, and what differed."""

    def __init__(self):
        self.count = collections.Counter()
        self.problems = []

    def add(self, what, n=1):
        self.count[what] += n

    def fail(self, where, text):
        self.problems.append("%s: %s" % (where, text))

    def equal(self, where, got, want):
        d = difference(got, want)
        if d:
            self.fail(where, d)
        return not d

    def merge(self, other):
        self.count.update(other.count)
        self.problems += other.problems


def tap(number, name, problems, limit=12):
    """One TAP line; the problems as diagnostics below it."""
    print("%sok %d - %s" % ("not " if problems else "", number, name), flush=True)
    for p in problems[:limit]:
        print("#   " + p[:600].replace("\n", " "))
    if len(problems) > limit:
        print("#   … and %d more" % (len(problems) - limit), flush=True)


def totals(count):
    return ", ".join("%d %s" % (count[k], k) for k in sorted(count))


# ---- equality ---------------------------------------------------------------------------------------

# What ckpt never prints raw: controls, line separators, bidi marks, invisible characters.
UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
                    "\ufff9-\ufffb\U000e0000-\U000e007f]")


def compact(v):
    """The bytes of a member as ckpt prints it, which is what a set is sorted by."""
    text = json.dumps(v, ensure_ascii=False, separators=(",", ":"))
    return UNSEEN.sub(lambda m: json.dumps(m[0])[1:-1], text).encode("utf-8", "surrogatepass")


def same_set(got, want):
    """Arrays that may be sets: the library's is sorted by json.dumps, ckpt's by compact bytes."""
    if want != sorted(want, key=json.dumps) or got != sorted(got, key=compact):
        return False
    rest = list(want)
    for g in got:
        at = next((i for i, w in enumerate(rest) if not difference(g, w)), None)
        if at is None:
            return False
        del rest[at]
    return not rest


def unpack_numpy(v):
    """{"$numpy":…} as nested lists; None if the dtype is not one of the plain ones."""
    v = v["$numpy"]
    kind = {"<f8": "d", "<f4": "f", "<i8": "q", "<i4": "i", "<i2": "h", "|i1": "b", "|u1": "B",
            "<u8": "Q", "<u4": "I", "<u2": "H", "|b1": "?"}.get(v["dtype"])
    if kind is None:
        return None
    flat = [x for (x,) in struct.iter_unpack("<" + kind, base64.b64decode(v["data"]))]
    for n in reversed(v["shape"][1:]):
        flat = [flat[i:i + n] for i in range(0, len(flat), n)]
    return flat


# Fields that ckpt may add to an Interrupt or a Send where they are stored and not null.
EXTRA = {frozenset(("id", "value")): {"ns", "when", "resumable", "response_schema"},
         frozenset(("node", "arg")): {"timeout"}}


def bare(v):
    """Of a JavaScript object what is certain: an undefined member may be null or left out."""
    if isinstance(v, list):
        return [bare(x) for x in v]
    if not isinstance(v, dict):
        return v
    return {k: bare(x) for k, x in v.items() if x is not None}


def bare_entry(want, data):
    want, data = dict(want), dict(data)
    want["values"] = {k: bare(v) for k, v in want["values"].items()}
    data["values"] = {k: bare(v) for k, v in data["values"].items()}
    want["pending_writes"] = [[a, b, bare(v)] for a, b, v in want["pending_writes"]]
    data["writes"] = [{**w, "value": bare(w["value"])} for w in data["writes"]]
    return want, data


def differs_map(got, want, at):
    may = EXTRA.get(frozenset(want), set())
    for k in got.keys() - want.keys():
        if not (k in may and got[k] is not None):
            return "%s: unexpected key %r = %s" % (at, k, short(got[k]))
    for k in want.keys() - got.keys():
        return "%s: key %r is missing, wanted %s" % (at, k, short(want[k]))
    for k in got.keys() & want.keys():
        d = difference(got[k], want[k], "%s/%s" % (at, k))
        if d:
            return d
    return None


def short(v):
    text = json.dumps(v)
    return text if len(text) < 160 else text[:160] + "…"


def difference(got, want, at=""):
    """None if equal, else where and how. An int is never a float, a bool never an int."""
    if isinstance(got, dict) and "$numpy" in got and isinstance(want, list):
        flat = unpack_numpy(got)
        return None if flat == want else "%s: other elements than the array" % at
    if type(got) is not type(want):
        return "%s: got %s, want %s" % (at, short(got), short(want))
    if isinstance(want, dict):
        return differs_map(got, want, at)
    if isinstance(want, list):
        first = None
        if len(got) != len(want):
            first = "%s: %d items, want %d" % (at, len(got), len(want))
        for i, (g, w) in enumerate(zip(got, want)):
            first = first or difference(g, w, "%s/%d" % (at, i))
        return first if first and not same_set(got, want) else None
    if isinstance(want, float):
        ok = repr(got) == repr(want)
    else:
        ok = got == want
    return None if ok else "%s: got %s, want %s" % (at, short(got), short(want))


# ---- times --------------------------------------------------------------------------------------------

def rfc3339(nanos):
    t = EPOCH + datetime.timedelta(seconds=nanos // 10**9)
    text = t.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = ("%09d" % (nanos % 10**9)).rstrip("0")
    return text + ("." + fraction if fraction else "") + "Z"


def id_time(cid):
    """The time inside a UUIDv6 id, or None."""
    try:
        u = uuid.UUID(cid)
    except ValueError:
        return None
    if str(u) != cid.lower() or cid[14] != "6" or u.variant != uuid.RFC_4122:
        return None
    digits = u.hex
    ticks = int(digits[:12] + digits[13:16], 16) - 0x01B21DD213814000
    return rfc3339(ticks * 100)


def ts_time(ts):
    """A stored ISO time as RFC 3339 UTC, or None."""
    try:
        t = datetime.datetime.fromisoformat(ts.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None
    d = t.replace(tzinfo=t.tzinfo or datetime.timezone.utc) - EPOCH
    return rfc3339((d.days * 86400 + d.seconds) * 10**9 + d.microseconds * 1000)


def wanted_time(cid, ts):
    # JavaScript's ids do not mask the variant at step -1: the 4th group is then ffff.
    js = cid[:19] + "b" + cid[20:] if cid[19:23] == "ffff" else cid
    return id_time(js) or ts_time(ts)


# ---- one checkpoint ---------------------------------------------------------------------------------------

PLAIN = ("parent", "ts", "v", "step", "source", "versions_seen", "updated_channels")


def check_head(t, at, cid, want, data):
    for k in PLAIN:
        if k in want:
            t.equal("%s %s" % (at, k), data.get(k, MISSING), want[k])
            t.add("fields")
    t.equal(at + " time", data.get("time"), wanted_time(cid, want.get("ts")))
    if "metadata" in want:
        t.equal(at + " metadata", data.get("metadata"), want["metadata"])
        t.add("metadata objects")
    if "channel_versions" in want:
        have = {c["name"]: c["version"] for c in data["channels"] if c["version"] is not None}
        t.equal(at + " channel_versions", have, want["channel_versions"])
        t.add("versions", len(have))


AES = 32        # nonce and tag, which a value has not when the key has opened it


def check_blobs(t, at, want, data, key=True):
    """PostgreSQL: which blob rows the checkpoint's versions lead to. A row of type `empty` says
    that there is no value, as no row does."""
    channels = {c["name"]: c for c in data["channels"]}
    if data["v"] < 4:                           # made of the parent's writes, no row of its own
        channels.pop("__pregel_tasks", None)
    full = {k: b for k, b in want["blobs"].items() if b["type"] != "empty"}
    t.equal(at + " blobs", sorted(k for k, c in channels.items() if c["stored"] == "blob"),
            sorted(full))
    for name, blob in want["blobs"].items():
        got = channels.get(name, {})
        if name in full:
            t.equal("%s blob %s" % (at, name), [got.get("type"), got.get("bytes")],
                    [blob["type"], blob["size"] - (AES if key and "+" in blob["type"] else 0)])
        else:
            t.equal("%s blob %s" % (at, name), got.get("stored"), "empty")
        if blob["version"] is not None:         # ShallowPostgresSaver's have none
            version = got.get("version")
            t.equal("%s blob %s" % (at, name), version if isinstance(version, str)
                    else json.dumps(version), blob["version"])
        t.add("blobs")


def check_values(t, at, want, data, delta=()):
    """Each channel value; channels in `delta` may be there without being stored."""
    got = data["values"]
    for name, value in want["values"].items():
        t.equal("%s values/%s" % (at, name), got.get(name, MISSING), value)
        t.add("values")
    for name in got.keys() - want["values"].keys() - set(delta):
        t.fail(at, "value of %r, which the library does not have: %s" % (name, short(got[name])))


def check_sends(t, at, want, data):
    """Sends that wait: before v 4 a member of the checkpoint, since then a channel."""
    if "pending_sends" in want:
        t.equal(at + " pending_sends", data.get("pending_sends", MISSING), want["pending_sends"])
        t.add("pending sends", len(want["pending_sends"]))


def stored_bytes(write, want):
    """A JavaScript `bytes` write: its own library reads it as text, which spoils it; then the hash
    of what is stored tells whether ckpt is right."""
    if want.get("writer") != "js" or write["type"] != "bytes":
        return False
    sha = hashlib.sha256(base64.b64decode(write["value"]["$bytes"])).hexdigest()
    return any(r[0] == write["task"] and r[1] == write["idx"] and r[5] == sha
               for r in want.get("raw_writes", ()))


def check_writes(t, at, want, data):
    got = [[w["task"], w["channel"], w["value"]] for w in data["writes"]]
    if "pending_writes" in want:
        wanted = want["pending_writes"]
        t.equal(at + " writes", [x[:2] for x in got], [x[:2] for x in wanted])
        for i, (g, w) in enumerate(zip(got, wanted)):
            if not stored_bytes(data["writes"][i], want):
                t.equal("%s writes/%d (%s)" % (at, i, w[1]), g[2], w[2])
        t.add("writes", len(wanted))
    if want.get("raw_writes"):
        keys = [[w["task"], w["idx"], w["channel"], w["type"], w["path"]] for w in data["writes"]]
        raw = [[r[0], r[1], r[2], r[3], r[6] if len(r) > 6 else ""] for r in want["raw_writes"]]
        raw.sort(key=lambda r: (r[4].encode(), r[0].encode(), r[1]))
        t.equal(at + " raw writes", keys, raw)
        t.add("raw writes", len(raw))


def opaque(kind, size, sha):
    return {"$opaque": kind, "size": size, "sha256": sha}


def check_opaque(t, at, want, data):
    """A row that nobody can read without the key: its size and hash, and what is in clear."""
    s = want["stored"]
    t.equal(at + " values", data["values"], opaque(s["type"], s["size"], s["sha256"]))
    for k in ("parent", "step", "source"):
        t.equal("%s %s" % (at, k), data[k], want[k])
    t.equal(at + " metadata", data["metadata"], want["metadata"])
    t.add("opaque states")


def close_blobs(want):
    """The same values as seen without the key: those in blobs are closed one by one."""
    closed = {k: opaque(b["type"], b["size"], b["sha256"])
              for k, b in (want.get("blobs") or {}).items() if "+" in b["type"]}
    return {**want, "values": {**want["values"], **closed}}


def close_writes(want):
    """The same writes as seen without the key."""
    by_key = {(r[0], r[2], n): r for n, r in numbered(want["raw_writes"])}
    out, seen = [], collections.Counter()
    for task, channel, value in want["pending_writes"]:
        seen[task, channel] += 1
        r = by_key[task, channel, seen[task, channel]]
        out.append([task, channel, opaque(r[3], r[4], r[5]) if "+" in (r[3] or "") else value])
    return {**want, "pending_writes": out}


def numbered(raw):
    seen = collections.Counter()
    for r in sorted(raw, key=lambda r: ((r[6] if len(r) > 6 else "").encode(), r[0], r[1])):
        seen[r[0], r[2]] += 1
        yield seen[r[0], r[2]], r


def check_checkpoint(t, at, thread, ns, cid, want, data, key=True, delta=()):
    """One `data` of ckpt.show/1 against one oracle entry."""
    t.equal(at + " key", [data["thread"], data["ns"], data["id"]], [thread, ns, cid])
    t.add("checkpoints")
    stored = want.get("stored") or {}
    if not key and "+" in (stored.get("type") or ""):
        check_opaque(t, at, want, data)
        return check_writes(t, at, close_writes(want), data)
    if not key:
        want = close_blobs(want)
    if not key and want.get("raw_writes"):
        want = close_writes(want)
    if data["writer"] == "js":
        want, data = bare_entry({**want, "writer": "js"}, data)
    check_head(t, at, cid, want, data)
    check_sends(t, at, want, data)
    check_values(t, at, want, data, delta)
    if "blobs" in want:
        check_blobs(t, at, want, data, key)
    check_writes(t, at, want, data)
    return None
