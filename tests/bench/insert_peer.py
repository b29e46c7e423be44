"""What SQLite takes to insert rows that are in memory already: prints the seconds for the rows of a
store, in transactions of 8 MiB as a saver's file would get them.

    insert_peer.py STORE.db NEW.db
"""
import sqlite3
import sys
import time

BATCH = 8 << 20


def main(source, target):
    db = sqlite3.connect(source)
    new = sqlite3.connect(target)
    new.execute("PRAGMA journal_mode=WAL")
    spent = 0
    for table in ("checkpoints", "writes"):
        new.execute(db.execute("SELECT sql FROM sqlite_master WHERE name = ?",
                               (table,)).fetchone()[0])
        rows = db.execute("SELECT * FROM %s ORDER BY 1, 2, 3" % table)
        marks = ", ".join("?" * len(rows.description))
        batch, size = [], 0
        for row in rows:
            batch.append(row)
            size += sum(len(v) for v in row if isinstance(v, bytes))
            if size >= BATCH:
                spent += insert(new, table, marks, batch)
                batch, size = [], 0
        spent += insert(new, table, marks, batch)
    began = time.perf_counter()
    new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(spent + time.perf_counter() - began)


def insert(db, table, marks, rows):
    began = time.perf_counter()
    with db:
        db.executemany("INSERT INTO %s VALUES (%s)" % (table, marks), rows)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
