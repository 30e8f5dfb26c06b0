"""Holds one run: `hold FOLDER COMMAND...`, in a session of its own.

It outlives plugin and agent, and does with neither of them alive what they
have asked for: it keeps the deadline and the lease, carries out a stop order
up to KILL, keeps the log, and records how the run ended.

    claim -> command in its own session -> exit record

Nothing in here is about Python programs: it holds any command.
"""
import os
import select
import signal
import subprocess
import time

import logfile
import runs

# How often it looks for orders.
LOOK_SECONDS = 0.25
# How long output is awaited that a process outside of the session holds open.
DRAIN_SECONDS = 1


def hold(folder, command):
    run = runs.Run(folder)
    stored = run.read()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM,
                   signal.SIGQUIT):
        # Not SIG_IGN, which the command would inherit.
        signal.signal(number, lambda *_: None)
    if not run.try_to_claim():
        return
    spec = stored['spec']
    log = logfile.Writer(
        os.path.join(stored['logsDir'], spec['key']['executionId']))
    try:
        by, code, reason = _Held(run, spec, command, log).until_ended()
    finally:
        log.close()
    run.record_exit(by, code, _now_ms(), reason)


class _Held:
    def __init__(self, run, spec, command, log):
        self._run = run
        self._spec = spec
        self._command = command
        self._log = log
        self._ending = None  # (by, reason), once something wants the end
        self._kill_at = 0  # ms
        self._child = None

    def until_ended(self):
        """(by, code, reason) of the end."""
        env = (runs.passed_environment() | self._spec['env']
               | {runs.NONCE: self._run.nonce})
        try:
            self._child = subprocess.Popen(
                self._command, cwd=self._run.folder / 'work', env=env,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True, umask=0o022)
        except OSError as error:
            return 'refused', 126, f'cannot be started: {error.strerror}'
        self._follow()
        code = self._child.returncode
        if code >= 0:
            end = 'exit', code, ''
        else:
            end = 'signal', 128 - code, f'signal {-code}'
        if self._ending is not None:
            by, reason = self._ending
            return by, end[1], reason
        return end

    def _follow(self):
        """Returns when the command has ended and its output is kept."""
        streams = {self._child.stdout.fileno(): logfile.STDOUT,
                   self._child.stderr.fileno(): logfile.STDERR}
        poll = select.poll()
        for fd in streams:
            poll.register(fd, select.POLLIN)
        pidfd = os.pidfd_open(self._child.pid)
        poll.register(pidfd, select.POLLIN)
        give_up_at = None
        while streams or give_up_at is None:
            ready = [fd for fd, _ in poll.poll(LOOK_SECONDS * 1000)]
            for fd in ready:
                if fd in streams and not self._take(fd, streams[fd]):
                    poll.unregister(fd)
                    del streams[fd]
            if give_up_at is None and self._child.poll() is not None:
                poll.unregister(pidfd)
                # What it has left behind in its session ends with it.
                self._signal(signal.SIGKILL)
                give_up_at = time.monotonic() + DRAIN_SECONDS
            if give_up_at is None:
                self._obey()
            elif time.monotonic() > give_up_at:
                return

    def _take(self, fd, stream):
        data = os.read(fd, logfile.MAX_FRAME_BYTES)
        if data:
            self._log.append(stream, data)
        return bool(data)

    def _obey(self):
        wanted = self._wanted()
        if wanted is None:
            return
        by, number, kill_at, reason = wanted
        if self._ending is None:
            self._ending = by, reason
            self._kill_at = kill_at
            self._signal(number)
        # Whatever comes later can only bring it nearer.
        self._kill_at = min(self._kill_at, kill_at)
        if _now_ms() >= self._kill_at:
            self._signal(signal.SIGKILL)

    def _wanted(self):
        """(by, signal, time of the KILL, reason) if the run is to end."""
        order = self._run.stop_order()
        if order is not None:
            return order
        ends = [(self._spec['deadlineAt'], 'deadline'),
                (self._run.lease_end(), 'lease')]
        for at, reason in sorted(end for end in ends if end[0]):
            if at <= _now_ms():
                kill_at = _now_ms() + self._spec['stopGraceMs']
                return 'limit', signal.SIGTERM, kill_at, reason
        return None

    def _signal(self, number):
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            pass


def _now_ms():
    return int(time.time() * 1000)
