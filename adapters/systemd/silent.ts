import type { ServiceManager } from './port.ts';

const nothing = (): void => undefined;

/** Of a program that no service manager waits for. */
export const silentService: ServiceManager = {
  ready: nothing,
  status: nothing,
  reloading: nothing,
  stopping: nothing,
  beat: nothing,
  watchdogMs: undefined,
};
