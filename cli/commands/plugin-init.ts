/** `limpet plugin init NAME`: a working project of an executor plugin, with the SDK in it. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { PLUGIN_NAME } from '../../core/plugin-name.ts';
import { note } from '../context.ts';
import type { Context } from '../context.ts';

interface Options {
  readonly dir?: string;
}

const BUILT_IN = ['docker', 'wasm', 'process'];
/** Stands for the name everywhere in the template. */
const PLACEHOLDER = '__NAME__';

export function pluginInit(context: Context): Command {
  return new Command('init')
    .description('write a working project of an executor plugin: JavaScript, a test, the SDK')
    .argument('<name>', 'engine type of its jobs: lower-case letters, digits and hyphens')
    .option('--dir <folder>', 'where it is put; a new or an empty one (default: ./<name>)')
    .action((name: string, options: Options) => {
      checkName(name);
      const folder = resolve(options.dir ?? name);
      const [template, sdk] = [partOf('plugins/template'), partOf('dist/sdk')];
      checkEmpty(folder);
      try {
        writeTemplate(template, folder, name);
        cpSync(sdk, join(folder, 'limpet-sdk'), { recursive: true });
      } catch (thrown) {
        throw new LimpetError('store-failed', `cannot write ${folder}: ${messageOf(thrown)}`, {
          cause: thrown,
        });
      }
      note(context, nextSteps(name, relative(process.cwd(), folder) || '.'));
    });
}

function checkName(name: string): void {
  const expected = 'a lower-case letter, then up to 31 lower-case letters, digits and hyphens';
  if (!PLUGIN_NAME.test(name))
    throw new LimpetError('invalid-argument', `plugin name '${name}'; expected ${expected}`);
  if (BUILT_IN.includes(name))
    throw new LimpetError(
      'invalid-argument',
      `'${name}' is an executor that every agent has; choose another name`,
    );
}

/** Of the checkout, or of the release, that this program belongs to. */
function partOf(path: string): string {
  const places = ['..', '../..'].map((up) =>
    fileURLToPath(new URL(`${up}/${path}`, import.meta.url)),
  );
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new LimpetError('unavailable', `${path} is not there; run \`npm run build\``);
}

function checkEmpty(folder: string): void {
  let names: readonly string[];
  try {
    names = existsSync(folder) ? readdirSync(folder) : [];
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `${folder}: ${messageOf(thrown)}`, { cause: thrown });
  }
  if (names.length > 0)
    throw new LimpetError(
      'invalid-argument',
      `${folder} is not empty; name a new or an empty folder with --dir`,
    );
}

function writeTemplate(template: string, folder: string, name: string): void {
  for (const file of readdirSync(template, { recursive: true, encoding: 'utf8' })) {
    const [source, target] = [join(template, file), join(folder, file)];
    if (!statSync(source).isFile()) continue;
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(source, 'utf8').replaceAll(PLACEHOLDER, name);
    // Its first line says what runs it.
    writeFileSync(target, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
}

function nextSteps(name: string, folder: string): string {
  return [
    `executor plugin '${name}' is in ${folder}; it needs nothing but Node. Next:`,
    `  cd ${folder}`,
    '  npm test',
    '  limpet plugin test -- node src/main.js',
  ].join('\n');
}
