import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** tap runs these one after the other by itself. */
const TAP_QUEUES = ['test', 'skip', 'todo', 'only'].map((name) => ({
  from: 'package',
  package: '@tapjs/test',
  name,
}));

/** To tap's `match` an empty list, or an empty object, is like any other: what looks like a check cannot fail. */
const EMPTY_PATTERNS = [
  'ArrayExpression[elements.length=0]',
  'ObjectExpression[properties.length=0]',
]
  .flatMap((empty) => [`> ${empty}`, `> ObjectExpression ${empty}`, `> ArrayExpression ${empty}`])
  .map((pattern) => ({
    selector: `CallExpression[callee.object.name='t'][callee.property.name='match'] ${pattern}`,
    message: 't.match takes this for anything; compare it by t.same or t.equal.',
  }));

export default defineConfig(
  { ignores: ['dist/', 'release/', '.tap/', 'plugins/proto/gen/', 'tap-snapshots/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      complexity: ['error', 20],
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  {
    // A program's wiring is one long list of constructor calls; a table of WASI calls is one long list of small ones.
    files: ['**/compose.ts', 'executors/wasm/wasi/*-calls.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // Behaviour is described at length, and answers of engines and brokers are looked at as they come.
    files: ['test/**/*.ts', 'bench/**/*.ts', 'plugins/conformance/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: TAP_QUEUES }],
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'max-lines-per-function': 'off',
      'no-console': 'off',
      'no-restricted-syntax': ['error', ...EMPTY_PATTERNS],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs', 'bin/*'],
    languageOptions: { globals: nodeGlobals() },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', 300],
      'no-undef': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  { files: ['bin/*', '**/*.cjs'], languageOptions: { sourceType: 'commonjs' } },
);

function nodeGlobals() {
  const names = [
    'AbortController',
    'AbortSignal',
    'Buffer',
    'URL',
    'URLSearchParams',
    'console',
    'fetch',
  ];
  const more = [
    'performance',
    'process',
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
  ];
  return Object.fromEntries([...names, ...more].map((name) => [name, 'readonly']));
}
