"""The service `limpet.executor.v1.Executor` for Python programs.

Everything that lasts lies in files of the run, written by the plugin and by
the run's holder: the plugin itself can be killed at any time.
"""
import asyncio
import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

from grpc import StatusCode

import api
import logfile
import runs
import schemas

NAME = 'python'
VERSION = '1.0.0'

LOOK_SECONDS = 0.2
FINGERPRINT_SECONDS = 20
CLAIM_SECONDS = 10
KILL_SECONDS = 5
MAX_WAIT_SECONDS = 60
EVENTS_KEPT = 1024
HEALTHY, UNHEALTHY = 3, 2
PHASES = {'absent': 1, 'running': 3, 'exited': 5}
SIGNALS = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1',
           'SIGUSR2']

_V1 = 'limpet.executor.v1.'
Capabilities = api.message(_V1 + 'Capabilities')
ConfigSchemaResponse = api.message(_V1 + 'ConfigSchemaResponse')
ConfigureResponse = api.message(_V1 + 'ConfigureResponse')
Event = api.message(_V1 + 'Event')
FingerprintResponse = api.message(_V1 + 'FingerprintResponse')
InfoResponse = api.message(_V1 + 'InfoResponse')
ListResponse = api.message(_V1 + 'ListResponse')
LogsResponse = api.message(_V1 + 'LogsResponse')
Outcome = api.message(_V1 + 'Outcome')
PrepareResponse = api.message(_V1 + 'PrepareResponse')
ReleaseResponse = api.message(_V1 + 'ReleaseResponse')
RemoveResponse = api.message(_V1 + 'RemoveResponse')
RenewResponse = api.message(_V1 + 'RenewResponse')
RunState = api.message(_V1 + 'RunState')
StartResponse = api.message(_V1 + 'StartResponse')
StopResponse = api.message(_V1 + 'StopResponse')


class Executor:
    def __init__(self):
        self._facts = None  # what Configure said
        self._python = sys.executable
        # One call at a time for each run; a fixed number keeps nothing of
        # runs that are gone.
        self._locks = [asyncio.Lock() for _ in range(64)]
        self._supervised = {}  # nonce: run, until it has ended
        self._holders = []  # children of ours, to be waited for
        self._events = collections.deque(maxlen=EVENTS_KEPT)
        self._event_count = 0
        self._rung = asyncio.Event()
        self._watcher = None

    async def Info(self, request, context):
        return InfoResponse(
            name=NAME, version=VERSION, pid=os.getpid(),
            instance_id=os.environ.get('LIMPET_PLUGIN_INSTANCE', ''),
            capabilities=Capabilities(
                renew=True, held=True, signals=SIGNALS))

    async def ConfigSchema(self, request, context):
        return ConfigSchemaResponse(
            config_schema_json=json.dumps(schemas.CONFIG),
            params_schema_json=json.dumps(schemas.PARAMS))

    async def Configure(self, request, context):
        if self._facts is not None and self._facts != request:
            raise api.Failure(
                StatusCode.FAILED_PRECONDITION,
                'this plugin is configured with other values; start a new '
                'instance to change them')
        config = schemas.config_of(request.config_json)
        self._python = config.get('python', sys.executable)
        for folder in (request.runs_dir, request.logs_dir):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self._facts = request
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        return ConfigureResponse()

    async def Fingerprint(self, request, context):
        self._configured()
        while True:
            if os.access(self._python, os.X_OK):
                yield FingerprintResponse(
                    health=HEALTHY, attributes={'python': self._python})
            else:
                yield FingerprintResponse(
                    health=UNHEALTHY,
                    reason=f'{self._python} is no program')
            await asyncio.sleep(FINGERPRINT_SECONDS)

    async def Prepare(self, request, context):
        schemas.params_of(request.spec)
        yield PrepareResponse(message='ready', done=True)

    async def Start(self, request, context):
        spec = request.spec
        run = self._run(spec.key)
        async with self._alone(run):
            stored = run.spec()
            if stored is None:
                params = schemas.params_of(spec)
                run.write(_stored(spec, params), self._facts.logs_dir)
            elif stored['specHash'] != spec.spec_hash:
                raise api.Failure(
                    StatusCode.ALREADY_EXISTS,
                    f'run {run.nonce} exists with another spec')
            seen = run.observe()
            there = seen.phase == 'running'
            if not seen.marked:
                await self._launch(run)
                seen = run.observe()
                # It may have ended by now, which is to be told all the same.
                self._supervised[run.nonce] = run
            self._supervise(run, seen)
            return StartResponse(state=self._state(run, seen),
                                 already_running=there)

    async def Recover(self, request, context):
        run = self._run(request.key)
        async with self._alone(run):
            seen = _present(run)
            self._supervise(run, seen)
            return self._state(run, seen)

    async def List(self, request, context):
        found = runs.list_runs(self._configured().runs_dir)
        return ListResponse(
            runs=[self._state(run, run.observe()) for run in found])

    async def Status(self, request, context):
        run = self._run(request.key)
        return self._state(run, _present(run))

    async def Wait(self, request, context):
        run = self._run(request.key)
        seconds = min(request.timeout_ms / 1000, MAX_WAIT_SECONDS)
        until = time.monotonic() + seconds
        while True:
            seen = _present(run)
            left = until - time.monotonic()
            if seen.phase != 'running' or left <= 0:
                return self._state(run, seen)
            await asyncio.sleep(min(left, LOOK_SECONDS))

    async def Stop(self, request, context):
        by = request.by or 'stop'
        if by not in ('stop', 'limit'):
            raise api.Failure(StatusCode.INVALID_ARGUMENT,
                              f"by '{by}'; expected stop or limit")
        number = _signal_number(request.signal or 'SIGTERM')
        run = self._run(request.key)
        async with self._alone(run):
            seen = _present(run)
            self._supervise(run, seen)
            if seen.phase == 'running':
                run.order_stop(by, number, _now_ms() + request.grace_ms,
                               request.reason)
        return StopResponse()

    async def Renew(self, request, context):
        for lease in request.leases:
            run = self._run(lease.key)
            if run.spec() is not None:
                run.renew(lease.until_ms)
        return RenewResponse()

    async def Release(self, request, context):
        run = self._run(request.key)
        async with self._alone(run):
            self._supervised.pop(run.nonce, None)
        return ReleaseResponse()

    async def Remove(self, request, context):
        run = self._run(request.key)
        async with self._alone(run):
            if run.nonce in self._supervised:
                self._look(run)  # its end may not be told yet
            self._supervised.pop(run.nonce, None)
            until = time.monotonic() + KILL_SECONDS
            # Without its folder a holder that is about to claim cannot.
            while run.kill():
                if time.monotonic() > until:
                    raise api.Failure(
                        StatusCode.INTERNAL,
                        f'processes of run {run.nonce} do not end')
                await asyncio.sleep(0.02)
            run.remove()
            if request.with_logs:
                logfile.remove(self._log_folder(request.key.execution_id))
        return RemoveResponse()

    async def Logs(self, request, context):
        folder = self._log_folder(request.execution_id)
        reader = logfile.Reader(folder, request.from_offset)
        if request.tail_lines > 0:
            reader.skip_to_last_lines(request.tail_lines)
        told = 0
        while True:
            # Asked before the last look, which then finds all there is.
            ended = self._has_ended(request.execution_id)
            frames = reader.next()
            cut = reader.truncated_before
            last = not frames and (ended or not request.follow)
            if frames or last:
                yield LogsResponse(
                    frames=[_frame(*frame) for frame in frames],
                    next_offset=reader.offset, end=last and ended,
                    truncated_before=cut if cut != told else 0)
                told = cut
            if last:
                return
            if not frames:
                await asyncio.sleep(LOOK_SECONDS)

    async def Events(self, request, context):
        seen = request.since_seq or self._event_count
        while True:
            oldest = self._event_count - len(self._events) + 1
            if not oldest - 1 <= seen <= self._event_count:
                seen = self._event_count
                yield Event(seq=seen, gap=True, time_ms=_now_ms())
            elif seen == self._event_count:
                await self._rung.wait()
            else:
                yield self._events[seen - oldest + 1]
                seen += 1

    async def _watch(self):
        """Notices the ends of runs, and ends what a dead holder has left."""
        while True:
            self._holders = [h for h in self._holders if h.poll() is None]
            for run in list(self._supervised.values()):
                self._look(run)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, run):
        if not run.is_held() and run.exit() is None:
            run.kill()
        seen = run.observe()
        if seen.phase != 'running':
            self._supervised.pop(run.nonce, None)
            self._ring(run, seen)

    def _ring(self, run, seen):
        self._event_count += 1
        state = self._state(run, seen)
        self._events.append(Event(
            seq=self._event_count, key=state.key, time_ms=_now_ms(),
            state=state if seen.phase == 'exited' else None))
        self._rung.set()
        self._rung = asyncio.Event()

    async def _launch(self, run):
        """Returns when the run is claimed."""
        params = run.spec()['params']
        work = run.folder / 'work'
        work.mkdir(exist_ok=True)
        (work / 'program.py').write_text(params['Program'], encoding='utf-8')
        command = [self._python, '-u', 'program.py',
                   *params.get('Arguments', ())]
        holder = subprocess.Popen(
            [sys.executable, sys.argv[0], 'hold', str(run.folder), *command],
            cwd='/', env=runs.passed_environment() | {runs.NONCE: run.nonce},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self._holders.append(holder)
        until = time.monotonic() + CLAIM_SECONDS
        while run.claim() is None:
            if holder.poll() is not None or time.monotonic() > until:
                raise api.Failure(StatusCode.INTERNAL,
                                  f'the holder of {run.nonce} did not start')
            await asyncio.sleep(0.01)

    def _supervise(self, run, seen):
        if seen.phase == 'running':
            self._supervised[run.nonce] = run

    def _has_ended(self, execution_id):
        """The log of the execution is complete as it is."""
        folder = os.path.join(self._configured().runs_dir, execution_id)
        try:
            newest = max(map(int, os.listdir(folder)))
        except (FileNotFoundError, ValueError):
            return os.path.exists(self._log_folder(execution_id))
        seen = runs.Run(os.path.join(folder, str(newest))).observe()
        return seen.marked and seen.phase != 'running'

    def _configured(self):
        if self._facts is None:
            raise api.Failure(
                StatusCode.FAILED_PRECONDITION,
                'this plugin is not configured yet; call Configure first')
        return self._facts

    def _run(self, key):
        folder = self._configured().runs_dir
        return runs.Run(
            os.path.join(folder, _plain(key.execution_id), str(key.run)))

    def _log_folder(self, execution_id):
        return os.path.join(self._configured().logs_dir, _plain(execution_id))

    @contextlib.asynccontextmanager
    async def _alone(self, run):
        async with self._locks[hash(run.nonce) % len(self._locks)]:
            yield

    def _state(self, run, seen):
        execution_id, number = run.nonce.split('/')
        claim = run.claim() or ()
        state = RunState(
            phase=PHASES[seen.phase], marked=seen.marked,
            same_boot=seen.same_boot, ours=True,
            spec_hash=(run.spec() or {}).get('specHash', ''),
            handle=' '.join(claim).encode(), started_at_ms=seen.started_at,
            log_offset=logfile.end_of(self._log_folder(execution_id)),
            supervised=(seen.phase == 'running'
                        and run.nonce in self._supervised))
        state.key.execution_id = execution_id
        state.key.run = int(number)
        if claim:
            state.facts['pid'] = claim[0]
        if seen.exit is not None:
            state.finished_at_ms = seen.exit.finished_at
            state.outcome.CopyFrom(Outcome(
                by=seen.exit.by, code=seen.exit.code,
                reason=seen.exit.reason))
        return state


def _present(run):
    seen = run.observe()
    if seen.phase == 'absent' and not seen.marked:
        raise api.Failure(StatusCode.NOT_FOUND,
                          f'run {run.nonce} is not known here')
    return seen


def _plain(execution_id):
    """Ids become names of folders."""
    if re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,127}', execution_id):
        return execution_id
    raise api.Failure(StatusCode.INVALID_ARGUMENT,
                      f"execution id '{execution_id}' is not valid")


def _signal_number(name):
    name = name if name.startswith('SIG') else f'SIG{name}'
    if name not in signal.Signals.__members__:
        raise api.Failure(StatusCode.INVALID_ARGUMENT,
                          f"unknown signal '{name}'")
    return signal.Signals[name].value


def _stored(spec, params):
    """The spec as run.json keeps it."""
    limits = spec.limits
    return {
        'key': {'executionId': spec.key.execution_id, 'run': spec.key.run},
        'specHash': spec.spec_hash,
        'jobId': spec.job_id,
        'jobName': spec.job_name,
        'kind': spec.kind,
        'owner': spec.owner,
        'token': spec.token,
        'params': params,
        'env': dict(spec.env),
        'mounts': [],
        'limits': {
            'cpuMillis': limits.cpu_millis,
            'memoryBytes': limits.memory_bytes,
            'pids': limits.pids,
            'diskBytes': limits.disk_bytes,
        },
        'network': spec.network,
        'deadlineAt': spec.deadline_ms,
        'digest': spec.digest,
        'stopGraceMs': spec.stop_grace_ms,
    }


def _frame(stream, time_ms, offset, data):
    return {'stream': stream, 'time_ms': time_ms, 'offset': offset,
            'data': data}


def _now_ms():
    return int(time.time() * 1000)
