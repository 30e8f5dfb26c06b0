import { readFileSync } from 'node:fs';
import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { parseConfig } from '../../requester/config.ts';

function refusal(data: unknown): string {
  try {
    parseConfig(data, 'r.json');
  } catch (error) {
    if (error instanceof LimpetError && error.code === 'invalid-config') return error.message;
    throw error;
  }
  return 'accepted';
}

t.test('the shipped config is the default config', async (t) => {
  const shipped = new URL('../../requester.config.json', import.meta.url);
  const { $schema, ...config } = parseConfig(JSON.parse(readFileSync(shipped, 'utf8')), 'shipped');
  t.strictSame(config, parseConfig({}, 'default'));
  t.type($schema, 'string');
});

t.test('a mistake is told by path, value and what is allowed', async (t) => {
  t.equal(
    refusal({ http: { host: '0.0.0.0' } }),
    'r.json: http.host is "0.0.0.0": expected 127.0.0.1, ::1, localhost; another address needs http.tls with certFile and keyFile',
  );
  t.equal(
    refusal({ nodes: { heartbeat: 1 } }),
    'r.json: unknown key nodes.heartbeat; known here: approval, credentialTtlMs, heartbeatIntervalMs, unknownAfterMs, unhealthyAfterMs',
  );
  t.match(refusal({ http: { port: 70_000 } }), /^r\.json: http\.port is 70000: too big/);
  t.equal(
    refusal({ nodes: { heartbeatIntervalMs: 30_000 } }),
    'r.json: nodes.unknownAfterMs is missing or at its default: expected at least two heartbeat intervals',
  );
});
