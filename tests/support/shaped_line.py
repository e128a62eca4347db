"""A line that carries only so much: `shaped_line.py TARGET_PORT BITS_PER_SECOND`.

What a client sends goes through at a steady pace, and hardly any of it has room to wait on the way: the socket that receives it has a
small buffer, which Node cannot ask for. Answers come back at once. Says its port on the first line, and then how many bytes had passed
at what time, in milliseconds since 1970. Ends with its standard input."""

import os
import socket
import sys
import threading
import time

PIECE_BYTES = 4096
# Linux doubles it. The sender keeps buffers of some ten times what it may have on its way.
BUFFER_BYTES = 4 * 1024
SEGMENT_BYTES = 1400
CATCH_UP_SECONDS = 0.5

target_port, bits_per_second = int(sys.argv[1]), int(sys.argv[2])
lock = threading.Lock()
free_at, passed_bytes = 0.0, 0


def turn(count):
    """Waits until the line, which all connections share, has carried so many bytes more."""
    global free_at, passed_bytes
    with lock:
        now = time.monotonic()
        # What a busy machine has slept too long is made up for: the pace is the line's, and not the machine's. A line that nobody has used for
        # longer has saved nothing up.
        begins_at = free_at if now - free_at < CATCH_UP_SECONDS else now
        free_at = begins_at + count * 8 / bits_per_second
        wait = free_at - now
    time.sleep(max(0.0, wait))
    with lock:
        passed_bytes += count
        print(int(time.time() * 1000), passed_bytes, flush=True)


def carry(source, sink, shaped):
    try:
        while piece := source.recv(PIECE_BYTES if shaped else 65536):
            if shaped:
                turn(len(piece))
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
# The loopback's segments have 64 KiB, and whoever sends keeps buffers of many of them, which no network's do.
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
threading.Thread(target=end_with_input, daemon=True).start()
while True:
    client, _ = listener.accept()
    target = socket.create_connection(("127.0.0.1", target_port))
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for source, sink, shaped in ((client, target, True), (target, client, False)):
        threading.Thread(target=carry, args=(source, sink, shaped), daemon=True).start()
