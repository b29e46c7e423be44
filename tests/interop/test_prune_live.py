"""`ckpt prune` beside applications that go on writing with the real SqliteSaver. TAP.

    test_prune_live.py [SECONDS]    default 8; CKPT=build/ckpt FIXTURES=build/fixtures

Two applications with a connection of their own put checkpoints and writes of several threads and
read them back, while prune runs again and again without its guards of age. No put may fail, none
may wait for long, and in the end everything can be loaded. The control: rows deleted by plain SQL
as if channels were whole must be found by `ckpt check`, or this test could not fail.
"""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

CKPT = os.environ.get("CKPT", os.path.join("build", "ckpt"))
FIXTURES = pathlib.Path(os.environ.get("FIXTURES", os.path.join("build", "fixtures")))
PRUNE = ["--keep-last", "3", "--yes", "--min-age", "0", "--active-within", "0", "--progress", "none"]
count = failed = 0


def ok(good, what):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, what), flush=True)


def ckpt(store, *words):
    return subprocess.run([CKPT, "-s", str(store), *words], capture_output=True, text=True)


def application(path, name):
    """Until its input ends; prints what happened as JSON."""
    import select
    from langgraph.checkpoint.base import empty_checkpoint
    from langgraph.checkpoint.sqlite import SqliteSaver

    waits, faults, steps = [], [], 0
    saver = SqliteSaver(sqlite3.connect(path, check_same_thread=False))
    last = {}
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        thread = "%s-%d" % (name, steps % 5)
        config = last.get(thread, {"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"text": "x" * 20000, "step": steps}
        began = time.perf_counter()
        try:
            last[thread] = saver.put(config, checkpoint, {"source": "loop", "step": steps}, {})
            saver.put_writes(last[thread], [("text", "y" * 300)], "task")
            waits.append(time.perf_counter() - began)
            got = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
            if got.checkpoint["channel_values"]["step"] != steps or not got.pending_writes:
                faults.append("step %d of %s is not what was put" % (steps, thread))
        except Exception as e:
            faults.append(repr(e))
            saver.conn.rollback()
        steps += 1
        if steps == 21:
            print("enough", flush=True)
    waits.sort()
    print(json.dumps({"puts": steps, "faults": faults, "p99": waits[int(len(waits) * .99)],
                      "max": waits[-1]}))


def beside(folder, seconds):
    store = folder / "live.db"
    begin = [sys.executable, __file__, "application", str(store)]
    apps = []
    for name in ("a", "b"):
        apps.append(subprocess.Popen([*begin, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True))
        apps[-1].stdout.readline()
    end, runs, gone, bad = time.monotonic() + seconds, 0, 0, []
    for app in apps:                            # there has to be something to do, however slow all is
        app.stdout.readline()
    while time.monotonic() < end or ((runs < 4 or gone <= 20) and time.monotonic() < end + 120):
        run = ckpt(store, "prune", *PRUNE, "--json", *(["--vacuum=full"] if runs % 4 == 3 else []))
        runs += 1
        if run.returncode not in (0, 3):        # 3: threads that went on were left for the next run
            bad.append("%d %s" % (run.returncode, run.stderr.strip()))
        else:
            gone += json.loads(run.stdout)["summary"]["checkpoints"]
    said = [json.loads(a.communicate("end\n")[0].splitlines()[-1]) for a in apps]
    ok(not bad and runs > 3, "%d runs of prune: %s" % (runs, bad[:2]))
    ok(gone > 20, "%d checkpoints went" % gone)
    for one in said:
        ok(not one["faults"] and one["puts"] > 20, "%d puts, none failed: %s"
           % (one["puts"], one["faults"][:2]))
        ok(one["max"] < 5, "the longest wait of a put: %.0f ms, p99 %.0f ms"
           % (one["max"] * 1000, one["p99"] * 1000))
    check = ckpt(store, "check", "--json")
    ok(check.returncode == 0, "check has nothing to say: %s" % check.stdout[:300])
    db = sqlite3.connect(store)
    ok(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the file is whole")
    ok(db.execute("SELECT count(*) FROM writes w WHERE NOT EXISTS (SELECT 1 FROM checkpoints c WHERE "
                  "c.thread_id = w.thread_id AND c.checkpoint_ns = w.checkpoint_ns AND c.checkpoint_id "
                  "= w.checkpoint_id)").fetchone() == (0,), "no writes without their checkpoint")
    db.close()


def control(folder):
    for name in ("pruned", "plain"):
        shutil.copyfile(FIXTURES / "py-delta" / "store.db", folder / (name + ".db"))
    first = ckpt(folder / "pruned.db", "check")
    run = ckpt(folder / "pruned.db", "prune", *PRUNE[:1], "1", *PRUNE[2:])
    check = ckpt(folder / "pruned.db", "check")
    ok(run.returncode == 0 and check.returncode == first.returncode,
       "delta channels: what a kept one needs stays: %s" % run.stderr.strip().splitlines()[-1:])
    db = sqlite3.connect(folder / "plain.db")
    db.execute("DELETE FROM checkpoints WHERE (thread_id, checkpoint_ns, checkpoint_id) NOT IN (SELECT "
               "thread_id, checkpoint_ns, max(checkpoint_id) FROM checkpoints GROUP BY 1, 2)")
    db.execute("DELETE FROM writes WHERE (thread_id, checkpoint_ns, checkpoint_id) NOT IN (SELECT "
               "thread_id, checkpoint_ns, checkpoint_id FROM checkpoints)")
    db.commit()
    db.close()
    check = ckpt(folder / "plain.db", "check")
    ok(first.returncode == 0 and check.returncode == 8,
       "the control, deleted without looking, is found: exit %d" % check.returncode)


if sys.argv[1:2] == ["application"]:
    application(*sys.argv[2:])
else:
    with tempfile.TemporaryDirectory() as made:
        control(pathlib.Path(made))
        beside(pathlib.Path(made), float((sys.argv[1:] or ["8"])[0]))
    print("1..%d" % count)
    sys.exit(failed > 0)
