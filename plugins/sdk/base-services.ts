/** The services that every go-plugin host expects: health, controller, and a quiet stdio and broker. */
import * as grpc from '@grpc/grpc-js';
import { LimpetError } from '../../core/errors.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Serving,
} from '../proto/gen/grpc/health/v1/health_pb.js';
import { GRPCBroker, GRPCController, GRPCStdio } from '../proto/gen/plugin/plugin_pb.js';
import { addService } from '../proto/grpc-server.ts';
import { HEALTH_SERVICE } from '../proto/handshake.ts';
import type { Activity } from './activity.ts';
import { aborted } from './pause.ts';

/** `shutdown` is called when the host asks for it; the answer goes out first. */
export function addBaseServices(
  server: grpc.Server,
  { activity, shutdown }: { readonly activity: Activity; readonly shutdown: () => void },
): void {
  const check = (service: string) => {
    if (service !== HEALTH_SERVICE && service !== '')
      throw new LimpetError('not-found', `no service '${service}' here`);
    return { status: Serving.SERVING };
  };
  addService(server, Health, {
    check: async ({ request }) => check(request.service),
    watch: async function* ({ request, signal }) {
      yield check(request.service);
      await aborted(signal);
    },
  });
  addService(server, GRPCController, {
    shutdown: async () => {
      shutdown();
      return {};
    },
  });
  // Both stay open and silent until the host leaves: logs go to stderr, and there are no callbacks.
  const silence = async (signal: AbortSignal) => {
    const leave = activity.hold();
    await aborted(signal);
    leave();
  };
  addService(server, GRPCStdio, {
    streamStdio: async function* ({ signal }) {
      yield* await silence(signal).then(() => []);
    },
  });
  addService(server, GRPCBroker, {
    startStream: async function* ({ signal }) {
      yield* await silence(signal).then(() => []);
    },
  });
}

/** Counts every call as activity. */
export function activityInterceptor(activity: Activity): grpc.ServerInterceptor {
  return (_method, call) => {
    activity.touch();
    return new grpc.ServerInterceptingCall(call);
  };
}
