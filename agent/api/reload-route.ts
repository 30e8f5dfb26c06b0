/** POST /reload: reads the config again, as SIGHUP does; answers a ReloadReport. */
import type { ReloadReport } from '../../wire/reload.ts';
import type { Route } from './routes.ts';

export interface ReloadRouteDeps {
  reload(): Promise<ReloadReport>;
}

export function reloadRoute(deps: ReloadRouteDeps): Route {
  return { method: 'POST', path: '/reload', answer: async () => ({ json: await deps.reload() }) };
}
