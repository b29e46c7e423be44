"""What a delta channel holds, computed from the database alone: the chain of parents down to the
seed, and the write rows on it in replay order. An own implementation, to judge ckpt's by.

The decoded values come from the oracle; order, chain and rows from the database, here from a
SQLite file and in postgres.py from PostgreSQL.
"""
import collections
import json


class Rows:
    """Links, sizes and write keys of every checkpoint of one store.

    `checkpoints` gives (thread, ns, id, parent, metadata as text, bytes of checkpoint, of metadata),
    `writes` gives (thread, ns, id, path, task, idx, channel). How large the blobs are that a
    checkpoint needs, and those it is the first to name, only PostgreSQL tells.
    """

    def __init__(self, checkpoints, writes, blob_bytes=None):
        self.parent, self.size, self.meta_size = {}, {}, {}
        self.delta, self.writes = collections.defaultdict(set), collections.defaultdict(list)
        self.blob_bytes = blob_bytes or {}
        for t, ns, i, parent, meta, size, meta_size in checkpoints:
            self.parent[t, ns, i] = parent
            self.size[t, ns, i], self.meta_size[t, ns, i] = size, meta_size
            self.delta[t, ns] |= delta_names(meta)
        for t, ns, i, path, task, idx, channel in writes:
            self.writes[t, ns, i].append((path.encode(), task.encode(), idx, channel))
        for rows in self.writes.values():
            rows.sort()

    def chain(self, thread, ns, cid, stored):
        """Ancestors whose writes count, oldest first, and the id of the seed or None."""
        out, seen, p = [], {cid}, self.parent[thread, ns, cid]
        while p is not None and p not in seen and (thread, ns, p) in self.parent:
            out.append(p)
            if stored(p):
                return out[::-1], p
            seen.add(p)
            p = self.parent[thread, ns, p]
        return out[::-1], None


def sqlite_rows(db):
    has_path = "task_path" in [r[1] for r in db.execute("PRAGMA table_info(writes)")]
    return Rows(db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, "
                           "metadata, length(CAST(checkpoint AS BLOB)), "
                           "length(CAST(metadata AS BLOB)) FROM checkpoints"),
                db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, %s, task_id, idx, "
                           "channel FROM writes" % ("task_path" if has_path else "''")))


def delta_names(meta):
    """Channels that this row's metadata counts as delta channels."""
    try:
        counters = json.loads(meta).get("counters_since_delta_snapshot") or {}
    except (TypeError, ValueError, AttributeError):
        return set()
    return set(counters)


def is_stored(entry, channel):
    """In SQLite null is a value too; in PostgreSQL only if it lies in a blob."""
    blobs = entry.get("blobs")
    if blobs is None or channel in blobs:
        return channel in entry["values"]
    return entry["values"].get(channel) is not None


def history(rows, entries, thread, ns, cid, channel):
    """(snapshot, snapshot id, writes) of one channel at one checkpoint."""
    members, seed = rows.chain(thread, ns, cid, lambda i: is_stored(entries[i], channel))
    writes = []
    for i in members:
        keys = rows.writes[thread, ns, i]
        decoded = entries[i]["pending_writes"]
        assert [(k[1].decode(), k[3]) for k in keys] == [(d[0], d[1]) for d in decoded], i
        writes += [d[2] for d in decoded if d[1] == channel]
    return (entries[seed]["values"][channel] if seed else None), seed, writes


def without_doubt(snapshot, writes):
    """What the channel holds whatever its reducer: an untouched snapshot, or what the last write
    put in the place of everything before it. Otherwise something that equals no value."""
    last = writes[-1] if writes else None
    if not writes:
        return snapshot
    if isinstance(last, dict) and last.get("__overwrite__") is not None:
        return last["__overwrite__"]
    if isinstance(last, dict) and last.get("type") == "__overwrite__" and last.get("value") is not None:
        return last["value"]
    return {"not certain": writes}


def check(t, at, rows, entries, thread, ns, cid, data):
    """Every delta channel with a version and without a stored value. Returns their names."""
    want = entries[cid]
    names = [c for c in rows.delta[thread, ns]
             if c in want["channel_versions"] and c not in want["values"]]
    for name in names:
        where = "%s delta %s" % (at, name)
        snapshot, seed, writes = history(rows, entries, thread, ns, cid, name)
        got = data["values"].get(name)
        if isinstance(got, dict) and "$delta" in got:
            t.equal(where, got["$delta"],
                    {"snapshot": snapshot, "snapshot_id": seed, "writes": writes})
            t.add("delta histories")
        elif "state" in want:
            # Certain without the reducer: then it must be what the library materialises.
            t.equal(where + " as loaded", got, want["state"].get(name, got))
            t.add("delta values that are certain")
        elif name not in data["values"]:
            t.fail(where, "not there")
        else:
            t.equal(where + " without doubt", got, without_doubt(snapshot, writes))
            t.add("delta values that are certain")
    return names
