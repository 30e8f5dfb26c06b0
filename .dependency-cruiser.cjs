/** Who may import whom: the table in docs, as rules. A folder not named in `to` may not be imported. */
const PACKAGES = ['node_modules'];

/** `from` imports only `folders` (itself too) and, when `packages` is given, only those packages. */
function only(name, from, folders, packages) {
  const npm = packages?.map((one) => `node_modules/${one}/`) ?? PACKAGES;
  const own = `^(${[from, ...folders].join('|')})/`;
  return {
    name,
    severity: 'error',
    from: { path: `^${from}/` },
    to: { pathNot: [own, ...npm], dependencyTypesNot: ['core'] },
  };
}

/** `package` is imported nowhere but below `folders`. */
function heavy(name, ...folders) {
  return {
    name: `only-${folders[0].replaceAll('/', '-')}-imports-${name.replaceAll('/', '-')}`,
    severity: 'error',
    from: { pathNot: folders.map((folder) => `^${folder}/`) },
    to: { path: `node_modules/${name}/` },
  };
}

const EXECUTORS = ['docker', 'wasm', 'process'];
const PRODUCT = '^(core|wire|adapters|plugins|executors|agent|requester|cli)/';

module.exports = {
  forbidden: [
    {
      name: 'core-is-pure',
      comment: 'no I/O, no clock, no node:*, no package but zod',
      severity: 'error',
      from: { path: '^core/' },
      to: { pathNot: ['^core/', 'node_modules/zod/'] },
    },
    only('wire-knows-core', 'wire', ['core'], ['zod']),
    only('adapters-know-core-and-wire', 'adapters', ['core', 'wire']),
    only('adapters-of-the-sdk-know-core', 'adapters/processes', ['core'], []),
    only('adapters-of-the-sdk-know-core', 'adapters/faults', ['core'], []),
    only('adapters-of-the-sdk-know-core', 'adapters/durable', ['core'], []),
    only('proto-stands-alone', 'plugins/proto', ['core']),
    only('sdk-knows-proto-and-three-adapters', 'plugins/sdk', [
      'core',
      'plugins/proto',
      'adapters/processes',
      'adapters/faults',
      'adapters/durable',
    ]),
    only('conformance-knows-proto-and-two-adapters', 'plugins/conformance', [
      'core',
      'plugins/proto',
      'adapters/processes',
      'adapters/durable',
    ]),
    ...EXECUTORS.map((name) =>
      only('executors-know-the-sdk', `executors/${name}`, ['plugins/sdk']),
    ),
    only('agent-knows-no-requester', 'agent', ['core', 'wire', 'adapters', 'plugins/proto']),
    only('requester-knows-no-agent', 'requester', ['core', 'wire', 'adapters']),
    only('cli-talks-by-sockets', 'cli', ['core', 'wire']),
    heavy('dockerode', 'executors/docker', 'test'),
    heavy('@extism/extism', 'executors/wasm'),
    heavy('node-pty', 'executors/process'),
    {
      name: 'nothing-imports-test-or-bench',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-dev-package-in-the-product',
      severity: 'error',
      from: { path: PRODUCT },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^plugins/proto/gen/'] },
    exclude: { path: ['^dist/', '^\\.tap/', '^plugins/template/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
