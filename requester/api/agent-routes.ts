/** /api/v1/agent and /api/v1/auth: what clients ask before anything else. Here the "agent" is the requester itself. */
import { answer } from './answer.ts';
import type { ApiContext } from './context.ts';
import { requesterShape } from './node-shape.ts';
import type { RouteTable } from './route-table.ts';
import { VERSION_SHAPE } from './version.ts';

export function agentRoutes(routes: RouteTable, { requesterId }: ApiContext): void {
  routes.add('open', 'GET /api/v1/agent/alive', (c) => answer(c, { Status: 'OK' }));
  routes.add('open', 'GET /api/v1/agent/version', (c) => answer(c, VERSION_SHAPE));
  routes.add('reader', 'GET /api/v1/agent/node', (c) => answer(c, requesterShape(requesterId)));
  routes.add('reader', 'GET /api/v1/agent/config', (c) => answer(c, { config: {} }));
  // No method: a client without a token is told so, and finds it in BACALHAU_API_KEY.
  routes.add('open', 'GET /api/v1/auth', (c) => answer(c, { NextToken: '', Methods: {} }));
  routes.add('open', 'GET /api/v1/agent/authconfig', (c) =>
    answer(c, { Version: '1.0.0', Config: {} }),
  );
  for (const pattern of ['GET /', 'GET /version'] as const)
    routes.add('reader', pattern, (c) => c.redirect('/api/v1/agent/version', 301));
  routes.add('reader', 'GET /livez', (c) => c.redirect('/api/v1/agent/alive', 301));
}
