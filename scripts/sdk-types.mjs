/**
 * The types of the SDK for use outside this repository: `index.d.ts` and `testing.d.ts`, and below `types/` what they lead to,
 * zod's own included. Nothing is looked for in node_modules but @types/node.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const ENTRIES = { 'index.d.ts': 'plugins/sdk/index.ts', 'testing.d.ts': 'plugins/sdk/testing.ts' };
/** Of an import, not of a comment that shows one. */
const SPECIFIER = /(?<!^\s*\*.*)(from\s+|import\(|import\s+)(['"])([^'"]+)\2/gm;

/** Texts by path below the folder of the SDK. */
export function sdkTypes(root) {
  const own = declarations(root);
  const files = new Map();
  for (const [name, entry] of Object.entries(ENTRIES)) {
    files.set(name, `export * from './types/${entry.replace(/\.ts$/, '.js')}';\n`);
    follow(join(root, entry), { root, own, files });
  }
  return files;
}

/** Of each source file of ours: what the compiler says of it. */
function declarations(root) {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const program = ts.createProgram(
    Object.values(ENTRIES).map((entry) => join(root, entry)),
    { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true },
  );
  const texts = new Map();
  const { diagnostics } = program.emit(undefined, (path, text) => texts.set(path, text));
  const [failure] = diagnostics;
  if (failure !== undefined)
    throw new Error(
      `types of the SDK: ${ts.flattenDiagnosticMessageText(failure.messageText, '\n')}`,
    );
  return texts;
}

function follow(source, { root, own, files }) {
  const place = placeOf(source, root);
  if (files.has(place)) return;
  const text = own.get(source.replace(/\.ts$/, '.d.ts')) ?? readFileSync(source, 'utf8');
  const found = [];
  const rewritten = text.replaceAll(SPECIFIER, (whole, before, quote, specifier) => {
    const target = targetOf(specifier, source, root);
    if (target === undefined) return whole;
    found.push(target);
    const way = relative(dirname(place), placeOf(target, root)).replace(/\.d\.ts$/, '.js');
    return `${before}${quote}${way.startsWith('.') ? way : `./${way}`}${quote}`;
  });
  files.set(place, rewritten);
  for (const target of found) follow(target, { root, own, files });
}

/** A source or declaration file; undefined for what Node brings along. */
function targetOf(specifier, source, root) {
  if (specifier.startsWith('node:')) return undefined;
  const base = specifier.startsWith('.')
    ? join(dirname(source), specifier)
    : join(root, 'node_modules', specifier, 'index.js');
  const stem = base.replace(/\.(js|ts)$/, '');
  const file = [`${stem}.ts`, `${stem}.d.ts`].find((one) => existsSync(one));
  if (file === undefined)
    throw new Error(`types of the SDK: ${relative(root, source)} leads to '${specifier}'`);
  return file;
}

function placeOf(source, root) {
  const path = relative(root, source).replace(/^node_modules\//, '');
  return `types/${path.replace(/(\.d)?\.ts$/, '.d.ts')}`;
}
