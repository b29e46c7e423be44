#!/usr/bin/env python3
"""Write the smallest stores of each kind into tests/fuzz/corpus/store: pages of 512 bytes, a few rows.

The files are committed; run this again only to change them. Not here: damage, which the fuzzers
and tests/hostile do themselves.
"""
import pathlib
import sqlite3

OUT = pathlib.Path(__file__).parent / 'corpus' / 'store'
CHECKPOINTS = '''CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL
DEFAULT '', checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB,
metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))'''
WRITES = '''CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, {path} idx INTEGER NOT NULL, channel TEXT
NOT NULL, type TEXT, value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id,
idx))'''


def text(s):
    return bytes([0xa0 | len(s)]) + s.encode()


def packed(**values):
    """A container of small values, each given as msgpack."""
    inner = bytes([0x80 | len(values)]) + b''.join(text(k) + v for k, v in values.items())
    versions = bytes([0x80 | len(values)]) + b''.join(text(k) + text('1') for k in values)
    return (b'\x85' + text('v') + b'\x04' + text('id') + text('1') + text('channel_values') + inner
            + text('channel_versions') + versions + text('versions_seen') + b'\x80')


def store(name, rows, writes=(), path="task_path TEXT NOT NULL DEFAULT '',", after=(), wal=False):
    file = OUT / name
    file.unlink(missing_ok=True)
    db = sqlite3.connect(file, isolation_level=None)
    db.execute('PRAGMA page_size=512')
    db.execute('PRAGMA journal_mode=' + ('WAL' if wal else 'DELETE'))
    db.execute(CHECKPOINTS)
    if path is not None:
        db.execute(WRITES.format(path=path))
    db.executemany('INSERT INTO checkpoints VALUES (?,?,?,?,?,?,?)', rows)
    for row in writes:
        db.execute('INSERT INTO writes VALUES (' + ','.join('?' * len(row)) + ')', row)
    for sql in after:
        db.execute(sql)
    db.close()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    chain = [('t', '', str(i), str(i - 1) if i else None, 'msgpack', packed(a=bytes([i]), b=text('x')),
              b'{"source":"loop","step":%d}' % i) for i in range(3)]
    send = b'\xc7\x16\x02\x93' + text('langgraph') + text('Send') + b'\xc0'
    write = ('t', '', '2', 'k', '~p', 0, 'a', 'msgpack', text('w'))
    store('chain', chain, [write])
    store('idle-wal', chain[:1], [write[:2] + ('0',) + write[3:]], wal=True)
    store('old-writes', chain[:1], [write[:2] + ('0', 'k', 0, 'a', 'msgpack', send)], path='')
    store('no-writes', chain[:1], path=None)
    store('json', [('t', '', '1', '1', 'json', b'{"v":4,"channel_values":{"a":[1,{"lc":2}]},'
                    b'"channel_versions":{"a":1},"versions_seen":{}}', '{"step":1}')])
    store('delta', [('t', '', '1', None, 'msgpack', packed(m=b'\x91\x01'), b'{}'),
                    ('t', '', '2', '1', 'msgpack', packed(), b'{"step":0}')],
          [('t', '', '1', 'k', '', 0, 'm', 'msgpack', b'\x91\x02')])
    store('overflow', [('t', '', '1', None, 'msgpack', packed(a=b'\xc5\x04\x00' + bytes(1024)), b'{}')])
    store('types', [(b't', 'n:1', 7, 1.5, None, 'text', None), ('t\0', '\x1b', b'', '', '', b'', b'{')])
    store('pages', [('t%d' % (i % 5), '', '%030d' % i, None, 'msgpack', b'\x80', b'{}') for i in range(25)],
          after=["DELETE FROM checkpoints WHERE thread_id = 't3'"])
    store('made-up', chain[:1], after=[
        "ALTER TABLE checkpoints ADD COLUMN big BLOB AS (zeroblob(1000000))",
        'ALTER TABLE checkpoints RENAME TO c',
        'CREATE VIEW checkpoints AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) '
        'SELECT c.* FROM c, n'])


main()
