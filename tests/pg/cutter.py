"""A proxy in front of PostgreSQL's socket that knows where messages end: it notes them, and after the
one it is told it cuts all connections, or kills the client. Whoever connects anew is let through.
Standard library only.
"""
import os
import select
import signal
import socket
import struct
import threading


class Stream:
    """One direction of a connection: whole messages only go on."""

    def __init__(self, sender, receiver, side, untyped):
        self.sender, self.receiver, self.side = sender, receiver, side
        self.untyped, self.left = untyped, b""

    def messages(self, data):
        self.left += data
        while True:
            head = 0 if self.untyped else 1
            if len(self.left) < head + 4:
                return
            size = head + struct.unpack_from(">I", self.left, head)[0]
            if len(self.left) < size:
                return
            kind = "-" if self.untyped else chr(self.left[0])
            self.untyped = False
            message, self.left = self.left[:size], self.left[size:]
            yield self.side + kind, message


class Cutter:
    """`with Cutter(FOLDER, HOST, PORT)`: a socket in FOLDER that leads to HOST's."""

    def __init__(self, folder, host, port):
        self.name = "/.s.PGSQL." + port
        self.folder, self.host = folder, host
        self.lock, self.epoch = threading.Lock(), 0
        self.arm(None)

    def arm(self, at):
        """Count anew; `at`: after so many messages, or None."""
        with self.lock:
            self.seen, self.at, self.victim = [], at, None

    def kinds(self, at):
        return " ".join(self.seen[max(0, at - 3):at])

    def __enter__(self):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.folder + self.name)
        self.server.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *args):
        self.server.close()

    def accept(self):
        while True:
            try:
                client = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def note(self, kind, epoch):
        """False: this message is not to go on any more."""
        with self.lock:
            if epoch == self.epoch:
                self.seen.append(kind)
            return epoch == self.epoch

    def due(self):
        with self.lock:
            if len(self.seen) != self.at:
                return False
            self.epoch += 1
            if self.victim:
                os.kill(self.victim, signal.SIGKILL)
            return True

    def carry(self, client):
        epoch = self.epoch
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.host + self.name)
            ways = {client: Stream(client, server, ">", True), server: Stream(server, client, "<", False)}
            while self.round(ways, epoch):
                pass
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def round(self, ways, epoch):
        ready = select.select(list(ways), [], [], 0.05)[0]
        if self.epoch != epoch:
            return False
        for s in ready:
            data = s.recv(1 << 18)
            if not data:
                return False
            out = []
            for kind, message in ways[s].messages(data):
                if not self.note(kind, epoch):
                    return False
                out.append(message)
                if self.due():
                    ways[s].receiver.sendall(b"".join(out))
                    return False
            ways[s].receiver.sendall(b"".join(out))
        return True


def boundaries(seen, limit):
    """Where to cut: of rows that follow each other only the first and the last; evenly, if those are
    more than `limit`."""
    out = [n + 1 for n, kind in enumerate(seen)
           if kind not in ("<D", ">d", "<d") or n == 0 or n + 1 == len(seen) or
           seen[n - 1] != kind or seen[n + 1] != kind]
    if len(out) <= limit:
        return out
    return sorted({out[i * len(out) // limit] for i in range(limit)} | {out[-1]})
