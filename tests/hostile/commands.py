#!/usr/bin/env python3
"""A sample of the hostile stores through the program itself: exit codes, JSON, time, memory.

    tests/hostile/commands.py [SEED]

The ASan build sees faults; the plain one, memory. What is read deeply and in thousands is
main.c's.
"""
import concurrent.futures
import json
import os
import pathlib
import signal
import sys
import tempfile

SEED = sys.argv[1] if len(sys.argv) > 1 else '20261121'
SANITIZED = pathlib.Path('build/asan')
PLAIN = pathlib.Path(os.environ.get('CKPT', 'build/ckpt')).parent
STORES, ROWS, FILES = 2, 24, 60
SECONDS = 1 # of computing, for one address
MEMORY = 64 << 20

# Verbs as data: what is asked of a whole store, and of one checkpoint of it.
WHOLE = [['list', '-l', '--json'], ['list', '--ndjson']]
OPTIONAL = {'check': ['check', '--json'], 'du': ['du', '--json']}
ONE = [['show', '--json', '--typed'], ['show', '--types'], ['show'], ['show', '--raw', '--channel', 'messages'],
       ['diff', '--json']]
COMMANDS = set() # and other words of the help
CODES = {0, 1, 3, 4, 7, 8}


def run(program, args, allowed=SECONDS):
    """(exit code, stdout, what is wrong)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.posix_spawn(program, [str(program), *args], dict(os.environ, PAGER='cat'),
                             file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                                           (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
        _, status, use = os.wait4(pid, 0)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read()
    code = os.waitstatus_to_exitcode(status)
    wrong = None
    if code not in CODES:
        wrong = 'exit %d' % code
    elif b'Sanitizer' in stderr or b'runtime error' in stderr:
        wrong = 'a sanitizer speaks'
    elif use.ru_utime + use.ru_stime > allowed:
        wrong = '%.1f s' % (use.ru_utime + use.ru_stime)
    elif program == PLAIN / 'ckpt' and use.ru_maxrss * 1024 > MEMORY + 3 * 300000:
        wrong = '%d KiB of memory' % use.ru_maxrss
    elif '--json' in args and code in (0, 8) and stdout:
        try:
            json.loads(stdout)
        except ValueError as e:
            wrong = 'no JSON: %s' % e
    if wrong:
        wrong += ': ckpt %s\n%s' % (' '.join(args), stderr[-1500:].decode(errors='replace'))
    return code, stdout, wrong


def both(store, args, allowed=SECONDS):
    for program in (SANITIZED / 'ckpt', PLAIN / 'ckpt'):
        wrong = run(program, ['-s', str(store), *args], allowed)[2]
        if wrong:
            return wrong
    return None


def verbs():
    return WHOLE + [OPTIONAL[v] for v in OPTIONAL if v in COMMANDS]


def payloads(number, folder):
    store = folder / ('rows%d.db' % number)
    make('make-payloads', number, store)
    faults = [both(store, v, 10) for v in verbs()]
    for row in range(ROWS):
        row = row * 500 // ROWS + number
        for v in ONE:
            name = 't%04d@{%012d}' % (row // 20, row)
            more = [name + '~1', name] if v[0] == 'diff' and row % 20 else [name]
            faults.append(both(store, [v[0], *more, *v[1:]]))
    return [f for f in faults if f], len(faults)


def file(number, folder):
    store = folder / ('file%d.db' % number)
    make('make-file', number, store)
    faults = [both(store, v, 2) for v in [*verbs(), ['show', 't', '--json']]]
    return [f for f in faults if f], len(faults)


def make(what, number, path):
    status = os.spawnv(os.P_WAIT, PLAIN / 'hostile', ['hostile', what, SEED, str(number), str(path)])
    if status:
        raise SystemExit('Bail out! hostile %s %s %d: %d' % (what, SEED, number, status))


def main():
    signal.alarm(1000)
    jobs = [(payloads, n) for n in range(STORES)] + [(file, n * 33) for n in range(FILES)]
    COMMANDS.update(run(PLAIN / 'ckpt', ['help'])[1].decode().split())
    print('# seed %s' % SEED)
    for verb in OPTIONAL.keys() - COMMANDS:
        print('# this ckpt has no command %s' % verb)
    print('1..%d' % len(jobs))
    bad = 0
    with tempfile.TemporaryDirectory(prefix='ckpt-hostile-') as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = [pool.submit(f, n, pathlib.Path(folder)) for f, n in jobs]
        for i, ((f, n), done) in enumerate(zip(jobs, work)):
            faults, count = done.result()
            bad += bool(faults)
            print('%s %d - %s %d: %d commands' % ('not ok' if faults else 'ok', i + 1, f.__name__, n, count))
            for fault in faults[:3]:
                print('# ' + fault.replace('\n', '\n# '))
    sys.exit(bad > 0)


main()
