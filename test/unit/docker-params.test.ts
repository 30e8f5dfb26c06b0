import t from 'tap';
import { z } from 'zod';
import { dockerConfig } from '../../executors/docker/config.ts';
import { dockerParams } from '../../executors/docker/params.ts';

void t.test('keys are matched without regard to case', async (t) => {
  t.match(dockerParams.parse({ image: 'a:1', PARAMETERS: ['x'], workingDirectory: '/w' }), {
    Image: 'a:1',
    Parameters: ['x'],
    WorkingDirectory: '/w',
  });
});

void t.test('what other clients send for "not given" is not given', async (t) => {
  const sent = { Image: 'a', Entrypoint: null, EnvironmentVariables: null, WorkingDirectory: '' };
  t.same(dockerParams.parse(sent), { Image: 'a', Init: true, ReadOnlyRoot: false });
});

void t.test('an unknown key, a missing image and a wrong value are named', async (t) => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ Image: 'a', Imgae: 'b' }, /Imgae/],
    [{}, /Image/],
    [{ Image: 'a', WorkingDirectory: 'w' }, /WorkingDirectory/],
    [{ Image: 'a', EnvironmentVariables: ['novalue'] }, /NAME=value/],
    [{ Image: 'a', PullPolicy: 'sometimes' }, /PullPolicy/],
    [{ Image: '--help' }, /expected an image name/],
  ];
  for (const [given, message] of cases) t.throws(() => dockerParams.parse(given), { message });
});

void t.test('both have a JSON Schema', async (t) => {
  t.match(z.toJSONSchema(dockerParams), { additionalProperties: false, required: /Image/ });
  t.match(z.toJSONSchema(dockerConfig), { properties: { pullLookupMs: { default: 10_000 } } });
});

void t.test('the engine is a unix socket and nothing else', async (t) => {
  t.equal(dockerConfig.parse({}).host, 'unix:///var/run/docker.sock');
  t.throws(() => dockerConfig.parse({ host: 'tcp://127.0.0.1:2375' }), { message: /unix:/ });
});
