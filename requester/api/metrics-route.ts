/** `GET /api/v1/limpet/metrics`: what the requester counts, for Prometheus. */
import type { ApiContext } from './context.ts';
import type { RouteTable } from './route-table.ts';

export function metricsRoute(routes: RouteTable, { scrape }: ApiContext): void {
  routes.add('reader', 'GET /api/v1/limpet/metrics', async (c) =>
    c.body(await scrape(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
}
