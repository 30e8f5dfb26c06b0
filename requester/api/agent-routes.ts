/** /api/v1/agent and /api/v1/auth: what clients ask before anything else. Here the "agent" is the requester itself. */
import type { Hono } from 'hono';
import { answer } from './answer.ts';
import type { ApiContext } from './context.ts';
import { requesterShape } from './node-shape.ts';
import { VERSION_SHAPE } from './version.ts';

export function agentRoutes(app: Hono, { requesterId }: ApiContext): void {
  app.get('/api/v1/agent/alive', (c) => answer(c, { Status: 'OK' }));
  app.get('/api/v1/agent/version', (c) => answer(c, VERSION_SHAPE));
  app.get('/api/v1/agent/node', (c) => answer(c, requesterShape(requesterId)));
  app.get('/api/v1/agent/config', (c) => answer(c, { config: {} }));
  // No method: a client without a token is told so, and finds it in BACALHAU_API_KEY.
  app.get('/api/v1/auth', (c) => answer(c, { NextToken: '', Methods: {} }));
  app.get('/api/v1/agent/authconfig', (c) => answer(c, { Version: '1.0.0', Config: {} }));
  for (const path of ['/', '/version'])
    app.get(path, (c) => c.redirect('/api/v1/agent/version', 301));
  app.get('/livez', (c) => c.redirect('/api/v1/agent/alive', 301));
}
