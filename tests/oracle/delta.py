"""What a delta channel holds, computed from the SQLite file alone: the chain of parents down to
the seed, and the write rows on it in replay order. An own implementation, to judge ckpt's by.

The decoded values come from the oracle; order, chain and rows from the file.
"""
import collections
import json


class Rows:
    """Links, write keys and metadata of every checkpoint of one file."""

    def __init__(self, db):
        has_path = "task_path" in [r[1] for r in db.execute("PRAGMA table_info(writes)")]
        self.parent, self.meta_size, self.delta = {}, {}, collections.defaultdict(set)
        for t, ns, i, p, meta in db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, "
                                            "parent_checkpoint_id, metadata FROM checkpoints"):
            self.parent[t, ns, i] = p
            self.meta_size[t, ns, i] = len(meta.encode() if isinstance(meta, str) else meta or b"")
            self.delta[t, ns] |= delta_names(meta)
        self.writes = collections.defaultdict(list)
        path = "task_path" if has_path else "''"
        for t, ns, i, path, task, idx, ch in db.execute(
                "SELECT thread_id, checkpoint_ns, checkpoint_id, %s, task_id, idx, channel "
                "FROM writes" % path):
            self.writes[t, ns, i].append((path.encode(), task.encode(), idx, ch))
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


def delta_names(meta):
    """Channels that this row's metadata counts as delta channels."""
    try:
        counters = json.loads(meta).get("counters_since_delta_snapshot") or {}
    except (TypeError, ValueError, AttributeError):
        return set()
    return set(counters)


def history(rows, entries, thread, ns, cid, channel):
    """(snapshot, snapshot id, writes) of one channel at one checkpoint."""
    members, seed = rows.chain(thread, ns, cid, lambda i: channel in entries[i]["values"])
    writes = []
    for i in members:
        keys = rows.writes[thread, ns, i]
        decoded = entries[i]["pending_writes"]
        assert [(k[1].decode(), k[3]) for k in keys] == [(d[0], d[1]) for d in decoded], i
        writes += [d[2] for d in decoded if d[1] == channel]
    return (entries[seed]["values"][channel] if seed else None), seed, writes


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
        else:
            t.fail(where, "not there" if name not in data["values"] else "shown without doubt")
    return names
