"""Runs by the files of their folders and the processes of this host.

    run.json  what is to be run, written before anything is started
    claim     `<pid> <start time> <boot id>` of the holder, made by itself
              before it starts anything: a run with a claim is never started
              again
    stop      an order to the holder: `<by> <signal> <KILL at, ms> <reason>`
    until     the end of the lease, in ms
    exit      how it ended: `<by> <code or -> <finished at, ms> <reason>`

    no claim                          absent, not marked
    exit record                       exited
    holder alive, or work left of it  running
    claim of another boot, or
    holder dead without a record      absent, marked: the run was lost
"""
import collections
import json
import os
import pathlib
import shutil
import signal

# In the environment of the holder and of all that it starts.
NONCE = 'LIMPET_RUN'
PASSED = ('PATH', 'HOME', 'LANG', 'TZ')

Exit = collections.namedtuple('Exit', 'by code finished_at reason')
Seen = collections.namedtuple('Seen', 'phase marked same_boot started_at exit')


class Run:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.nonce = '/'.join(self.folder.parts[-2:])

    def write(self, spec, logs_dir):
        """Makes folder and run.json; all of it is on disk at the end."""
        write_durably(self.folder / 'run.json', json.dumps(
            {'version': 1, 'logsDir': logs_dir, 'spec': spec}))
        for folder in list(self.folder.parents)[:2]:
            _sync(folder)

    def read(self):
        """What run.json says; None when there is none."""
        text = _read(self.folder / 'run.json')
        return None if text is None else json.loads(text)

    def spec(self):
        stored = self.read()
        return None if stored is None else stored['spec']

    def claim(self):
        text = _read(self.folder / 'claim')
        return None if text is None else text.split()

    def try_to_claim(self):
        """Makes the claim for this process; False: another has been quicker.

        The file is linked into place when it is whole and on disk, which
        only one can do.
        """
        mine = self.folder / f'claim.{os.getpid()}'
        claim = ' '.join((str(os.getpid()), start_time(os.getpid()), boot()))
        write_durably(mine, claim + '\n')
        try:
            os.link(mine, self.folder / 'claim')
        except FileExistsError:
            return False
        finally:
            mine.unlink()
        _sync(self.folder)
        return True

    def order_stop(self, by, number, kill_at, reason):
        """A later order can only bring the KILL nearer; the rest stays."""
        first = self.stop_order()
        if first is not None:
            by, number, first_kill_at, reason = first
            if kill_at >= first_kill_at:
                return
        reason = ' '.join(reason.split()) or 'stopped'
        write_durably(self.folder / 'stop',
                      f'{by} {number} {kill_at} {reason}\n')

    def stop_order(self):
        text = _read(self.folder / 'stop')
        if text is None:
            return None
        by, number, kill_at, reason = text.split(maxsplit=3)
        return by, int(number), int(kill_at), reason.strip()

    def renew(self, until_ms):
        write_durably(self.folder / 'until', f'{until_ms} lease\n')

    def lease_end(self):
        text = _read(self.folder / 'until')
        return None if text is None else int(text.split()[0])

    def record_exit(self, by, code, finished_at, reason):
        code = '-' if code is None else code
        write_durably(self.folder / 'exit',
                      f'{by} {code} {finished_at} {reason}\n')

    def exit(self):
        text = _read(self.folder / 'exit')
        if text is None:
            return None
        by, code, finished_at, reason = text.rstrip('\n').split(' ', 3)
        code = None if code == '-' else int(code)
        return Exit(by, code, int(finished_at), reason)

    def observe(self):
        """What is there now. Changes nothing."""
        claim = self.claim()
        if claim is None:
            return Seen('absent', False, False, 0, None)
        same_boot = claim[2] == boot()
        started_at = int((self.folder / 'claim').stat().st_mtime * 1000)
        # Looked at before the exit record: a holder writes that just before
        # it ends.
        alive = same_boot and start_time(claim[0]) == claim[1]
        exit = self.exit()
        if exit is not None:
            phase = 'exited'
        elif alive or (same_boot and self.processes()):
            phase = 'running'
        else:
            phase = 'absent'
        return Seen(phase, True, same_boot, started_at, exit)

    def is_held(self):
        claim = self.claim()
        return claim is not None and start_time(claim[0]) == claim[1]

    def processes(self):
        """All that the run has started, the holder included."""
        wanted = f'{NONCE}={self.nonce}'.encode()
        return [pid for pid in filter(str.isdigit, os.listdir('/proc'))
                if wanted in _environment(pid) and start_time(pid)]

    def kill(self):
        """KILLs what there is; answers whether there was anything."""
        found = self.processes()
        for pid in found:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        return bool(found)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.parent.rmdir()
        except OSError:
            pass


def list_runs(runs_dir):
    """All runs that have a run.json."""
    return [Run(file.parent)
            for file in pathlib.Path(runs_dir).glob('*/*/run.json')]


def passed_environment():
    """Of our own environment, what a run gets too."""
    return {name: os.environ[name] for name in PASSED if name in os.environ}


def boot():
    return pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()


def start_time(pid):
    """Tells a process from a later one with its pid; None: it is dead."""
    text = _read(f'/proc/{pid}/stat')
    if text is None:
        return None
    # The name in brackets may hold spaces and brackets.
    fields = text.rpartition(')')[2].split()
    return None if fields[0] in 'ZX' else fields[19]


def write_durably(path, text):
    """The file is there whole and on disk, or as it was before."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + '.new')
    with open(new, 'w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync(path.parent)


def _sync(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _environment(pid):
    try:
        with open(f'/proc/{pid}/environ', 'rb') as file:
            return file.read().split(b'\0')
    except OSError:
        return ()
