/** What the bundles need of esbuild beside its own. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A module that reads a script beside it, `plugins/sdk/held/holder-script.ts`, has the script's text inside a bundle. */
export const inlineScripts = {
  name: 'inline-scripts',
  setup({ onLoad }) {
    onLoad({ filter: /\/held\/holder-script\.ts$/ }, ({ path }) => {
      const script = join(dirname(path), 'holder.sh');
      const text = JSON.stringify(readFileSync(script, 'utf8'));
      return { contents: `export const holderScript = () => ${text};`, watchFiles: [script] };
    });
  },
};

/** docker-modem loads ssh2 (with native add-ons) at import, for engines behind ssh:// alone. */
export const withoutSsh = {
  name: 'without-ssh',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^ssh2$/ }, () => ({ path: 'ssh2', namespace: 'without-ssh' }));
    onLoad({ filter: /.*/, namespace: 'without-ssh' }, () => ({
      contents: `exports.Client = class {
        constructor() { throw new Error('engines behind ssh:// are not supported; use unix:// or tcp://'); }
      };`,
    }));
  },
};

/** zod carries its messages in fifty languages; ours are English. */
export const englishOnly = {
  name: 'english-only',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, resolveDir, importer }) =>
      importer.includes('/zod/')
        ? { path: join(resolveDir, path), namespace: 'english-only' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'english-only' }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    }));
  },
};
