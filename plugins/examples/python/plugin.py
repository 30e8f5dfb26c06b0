"""The side of a plugin that hashicorp/go-plugin's hosts expect.

    cookie -> socket -> services -> handshake line -> until Shutdown or SIGTERM
"""
import asyncio
import datetime
import json
import os
import signal
import sys
import tempfile

import grpc

import api

COOKIE = ('LIMPET_PLUGIN', '8f0d4c5e7b6a4f21a3d97c10be52e6f4')
MAX_SOCKET_PATH_BYTES = 100
SERVING = 1
# Lets the answer to Shutdown reach the host.
GRACE_SECONDS = 0.2


def log(level, text, **fields):
    """Writes one line in hclog's JSON, which the agent's log understands."""
    now = datetime.datetime.now(datetime.timezone.utc)
    record = {
        **fields,
        '@level': level,
        '@message': text,
        '@timestamp': now.isoformat(timespec='microseconds'),
    }
    print(json.dumps(record), file=sys.stderr, flush=True)


def serve(name, executor):
    """Serves until the host or SIGTERM ends it. Runs are left alone."""
    env = os.environ
    if env.get(COOKIE[0]) != COOKIE[1]:
        sys.exit(f"This is the '{name}' executor plugin of Limpet. "
                 "The agent starts it; to use it, name it in the agent's "
                 'config.')
    if env.get('PLUGIN_CLIENT_CERT'):
        sys.exit(f"The '{name}' plugin does not speak AutoMTLS; start it "
                 'without PLUGIN_CLIENT_CERT.')
    folder = env.get('PLUGIN_UNIX_SOCKET_DIR') or tempfile.gettempdir()
    socket = os.path.join(folder, f'plugin-{os.getpid()}.sock')
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        sys.exit(f'The socket path {socket} is longer than '
                 f'{MAX_SOCKET_PATH_BYTES} bytes.')
    # Not even Ctrl-C in a terminal ends what outlives the agent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.run(_serve(executor, socket))


async def _serve(executor, socket):
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = grpc.aio.server(options=[
        ('grpc.max_receive_message_length', -1),
        ('grpc.max_send_message_length', -1),
    ])
    server.add_generic_rpc_handlers((
        api.handler('grpc.health.v1.Health', _Health()),
        api.handler('plugin.GRPCController', _Controller(over)),
        api.handler('plugin.GRPCStdio', _Silent()),
        api.handler('plugin.GRPCBroker', _Silent()),
        api.handler('limpet.executor.v1.Executor', executor),
    ))
    os.umask(0o077)
    server.add_insecure_port(f'unix:{socket}')
    await server.start()
    multiplex = os.environ.get('PLUGIN_MULTIPLEX_GRPC')
    print(f'1|1|unix|{socket}|grpc|' + ('|false' if multiplex else ''),
          flush=True)
    # From here on stdout is nobody's: what a library prints is a log line.
    os.dup2(2, 1)
    await over.wait()
    await server.stop(GRACE_SECONDS)
    if os.path.exists(socket):
        os.unlink(socket)


class _Health:
    async def Check(self, request, context):
        if request.service not in ('', 'plugin'):
            raise api.Failure(grpc.StatusCode.NOT_FOUND,
                              f"no service '{request.service}' here")
        return api.message('grpc.health.v1.HealthCheckResponse')(
            status=SERVING)

    async def Watch(self, request, context):
        yield await self.Check(request, context)
        await asyncio.Event().wait()


class _Controller:
    def __init__(self, over):
        self._over = over

    async def Shutdown(self, request, context):
        self._over.set()
        return api.message('plugin.Empty')()


class _Silent:
    """Open until the host leaves: there are no callbacks, and logs go to
    stderr."""

    async def StreamStdio(self, request, context):
        await asyncio.Event().wait()
        yield

    async def StartStream(self, request, context):
        await asyncio.Event().wait()
        yield
