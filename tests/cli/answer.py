"""Run a command on a terminal of its own and answer its question.

    answer.py ANSWER COMMAND [ARG...]     ANSWER: typed as it is, \\n and \\x03 as escapes

Prints what the terminal showed; the exit code is the command's.
"""
import os
import pty
import select
import sys


def main(answer, command):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown, asked = b"", False
    while select.select([fd], [], [], 20)[0]:
        try:
            got = os.read(fd, 4096)
        except OSError:
            break
        if not got:
            break
        shown += got
        if not asked and (shown.endswith(b"[y/N] ") or shown.endswith(b"): ")):
            asked = True
            os.write(fd, answer)
    sys.stdout.write(shown.decode("utf-8", "replace").replace("\r", ""))
    sys.stdout.flush()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2:]))
