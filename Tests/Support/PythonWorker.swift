// SPDX-License-Identifier: Apache-2.0
//
// A worker that nobody here has made a library for: Python, with the sockets and the messages of a
// service manager.

public import Sluice

/// A program in Python that serves the sockets it inherits.
///
/// It tells each client its process and a word, and keeps the connection until the client closes. On
/// SIGTERM it lets its sockets go and waits for its clients; on SIGUSR1 it says so.
public enum PythonWorker {
    /// The program; its words are the one for clients, and those that change what it does.
    public static let script = """
        import os, select, signal, socket, sys
        word, ways = sys.argv[1], sys.argv[2:]
        if "fail" in ways:
            sys.exit(1)
        inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        place = os.environ["NOTIFY_SOCKET"].encode()
        if place[:1] == b"@":
            place = b"\\0" + place[1:]
        def say(text):
            inbox.sendto(text.encode(), place)
        ends = []
        stubborn = "stubborn" in ways
        signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: ends.append(1))
        signal.signal(signal.SIGUSR1, lambda *_: say("STATUS=user1"))
        wake = socket.socketpair()
        for end in wake:
            end.setblocking(False)
        signal.set_wakeup_fd(wake[1].fileno())
        assert os.environ["LISTEN_PID"] == str(os.getpid())
        count = int(os.environ["LISTEN_FDS"])
        listeners = [socket.socket(fileno=3 + number) for number in range(count)]
        interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 4e6
        if "mute" not in ways:
            say("READY=1")
        if "figures" in ways:
            say("X_SLUICE_FIGURES=connections=1 accepted=10 refused=2 received=300 sent=400")
        peers, fed = [], 0
        while True:
            if ends and listeners:
                say("STOPPING=1")
                for listener in listeners:
                    listener.close()
                listeners = []
            if ends and not peers:
                if "telling" in ways:
                    say("X_SLUICE_FIGURES=accepted=77")
                sys.exit(3 if "failing" in ways else 0)
            limit = interval if "feed" in ways else None
            ready = select.select(listeners + peers + [wake[0]], [], [], limit)[0]
            if "feed" in ways:
                fed += 1
                say("WATCHDOG=1\\nSTATUS=fed %d" % fed)
            for found in ready:
                try:
                    if found is wake[0]:
                        found.recv(100)
                    elif found in listeners:
                        peer = found.accept()[0]
                        peers.append(peer)
                        peer.sendall(b"%d %s\\n" % (os.getpid(), word.encode()))
                    elif not found.recv(100):
                        raise OSError
                except OSError:
                    if found in peers:
                        found.close()
                        peers.remove(found)
        """

    /// How it is started.
    ///
    /// - Parameters:
    ///   - word: what clients are told beside the number of the process.
    ///   - ways: `fail` ends before it is ready, `mute` never says that it is; `stubborn` ignores
    ///     SIGTERM, `failing` ends with status 3; `feed` says that it is alive, `figures` tells some,
    ///     `telling` some at its end.
    public static func launch(_ word: String = "one", _ ways: String...) -> ProcessLaunch {
        ProcessLaunch(
            program: "/usr/bin/env", arguments: ["python3", "-S", "-c", script, word] + ways)
    }
}
