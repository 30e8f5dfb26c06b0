import t from 'tap';
import { nextStep, retryMs, type Standing } from '../../agent/join/next-step.ts';
import { clockProblem, newToken, tokenRefused } from '../../agent/join/problems.ts';
import { wayIn } from '../../agent/join/way-in.ts';

const HOUR_MS = 3_600_000;
const jwt = { issuedAt: 0, expiresAt: 24 * HOUR_MS };
const standing = (more: Partial<Standing>): Standing => ({
  ...{ now: 0, jwt, connected: true, refused: false, hasToken: false },
  ...more,
});

t.test(
  'credentials are renewed after two thirds of their life, some nodes a little earlier',
  async (t) => {
    t.strictSame(nextStep(standing({}), 0), { do: 'renew-later', ms: 16 * HOUR_MS });
    const { ms } = { ms: 0, ...nextStep(standing({}), 1) };
    t.ok(ms > 14.7 * HOUR_MS && ms < 14.9 * HOUR_MS, `${ms}`);
    t.strictSame(nextStep(standing({ now: 16 * HOUR_MS }), 0), { do: 'renew' });
    t.strictSame(
      nextStep(standing({ now: 99 * HOUR_MS }), 0),
      { do: 'renew' },
      'the broker judges',
    );
    const endless = { issuedAt: 0, expiresAt: Infinity };
    t.strictSame(nextStep(standing({ jwt: endless }), 0), { do: 'wait' });
  },
);

t.test('a broker that is away has said nothing: no new credentials are asked for', async (t) => {
  const away = { connected: false, hasToken: true, now: 99 * HOUR_MS };
  t.strictSame(nextStep(standing(away), 0), { do: 'wait' });
});

t.test('without credentials in force a node joins, if it has a token', async (t) => {
  for (const why of [{ jwt: undefined }, { refused: true, connected: false }]) {
    t.strictSame(nextStep(standing({ ...why, hasToken: true }), 0), { do: 'join' });
    t.strictSame(nextStep(standing(why), 0), { do: 'wait' });
  }
});

t.test('it keeps trying: soon when nobody answers, seldom after a final word', async (t) => {
  t.strictSame(
    [0, 1, 2, 10].map((attempt) => retryMs('away', attempt)),
    [1_000, 2_000, 4_000, 30_000],
  );
  t.equal(retryMs('final', 99), 600_000);
  t.equal(
    retryMs('away', 10, 4_000),
    200,
    'there is time for several in what is left of a short life',
  );
});

t.test('what to do is said in the words of where the token lies', async (t) => {
  const place = {
    servers: ['tls://b:4222'],
    tokenFile: undefined,
    credentialsDirectory: undefined,
  };
  t.match(newToken(place), /name that as nats\.joinTokenFile$/);
  const credentialsDirectory = '/run/credentials/limpet-agent.service';
  const tokenFile = `${credentialsDirectory}/join-token`;
  t.match(
    newToken({ ...place, credentialsDirectory, tokenFile }),
    /put it into \/etc\/limpet\/keys\/join\.token, and restart the agent$/,
  );
  const claims = (exp: number): string =>
    `x.${Buffer.from(JSON.stringify({ sub: 'U', iat: 1, exp })).toString('base64url')}.x`;
  const token = { id: 'jt-abcdefghij12', seed: 'SU' };
  t.match(tokenRefused({ ...token, jwt: claims(100) }, 7_300_000, place), /expired 2 h ago: make/);
  t.match(tokenRefused({ ...token, jwt: claims(9e9) }, 0, place), /was revoked, or is not of/);
});

t.test('a clock that is off is told from a minute on', async (t) => {
  t.equal(clockProblem(30_000), undefined);
  t.match(clockProblem(7_300_000), /is 2 h behind the requester's: set it right/);
  t.match(clockProblem(-180_000), /is 3 min ahead of the requester's/);
});

t.test('a config names one way in', async (t) => {
  const base = { servers: ['nats://b'], pingIntervalMs: 1, requestTimeoutMs: 1 };
  t.strictSame(wayIn(base, '/nowhere'), { type: 'none' });
  t.throws(() => wayIn({ ...base, keyFile: '/k', user: 'u' }, undefined), {
    message: /nats\.keyFile and nats\.user exclude each other/,
  });
  t.strictSame(wayIn({ ...base, keyFile: '/k' }, undefined), {
    type: 'key',
    keyFile: '/k',
    tokenFile: undefined,
  });
});
