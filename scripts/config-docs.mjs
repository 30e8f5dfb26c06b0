/**
 * `npx tsx scripts/config-docs.mjs [--check]`: writes docs/reference/ from the zod schemas of agent and requester: a
 * table for people and a JSON Schema for editors, each. `--check` writes nothing and exits 1 when a file is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { agentConfigSchema } from '../agent/config.ts';
import { configSchema } from '../requester/config.ts';

const folder = fileURLToPath(new URL('../docs/reference/', import.meta.url));

const PROGRAMS = [
  { name: 'agent', schema: agentConfigSchema },
  { name: 'requester', schema: configSchema },
];

const check = process.argv.includes('--check');
const stale = [];
for (const { name, schema } of PROGRAMS) {
  const json = toJsonSchema(name, schema);
  await put(`${name}.config.schema.json`, JSON.stringify(json));
  await put(`${name}-config.md`, page(name, json));
}
if (stale.length > 0) {
  console.error(`out of date: ${stale.join(', ')}; run \`npx tsx scripts/config-docs.mjs\``);
  process.exitCode = 1;
}

async function put(name, text) {
  const file = folder + name;
  const pretty = await format(text, { ...(await resolveConfig(file)), filepath: file });
  if (pretty === readIfThere(file)) return;
  if (check) stale.push(`docs/reference/${name}`);
  else {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, pretty);
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** `io: input`: what a person writes, so nothing that has a default is required. */
function toJsonSchema(name, schema) {
  return { ...z.toJSONSchema(schema, { io: 'input' }), title: `Limpet ${name} config` };
}

function page(name, json) {
  const lines = [
    `# ${name[0].toUpperCase()}${name.slice(1)} config`,
    '',
    `A JSON file, handed over with \`limpet ${name} --config FILE\`. Every field may be left out. An unknown field is an error.`,
    `Editors check the file by [${name}.config.schema.json](${name}.config.schema.json), which \`$schema\` names.`,
    '',
    'This page is written by `npx tsx scripts/config-docs.mjs`.',
    '',
    '| field | default | allowed | meaning |',
    '|---|---|---|---|',
    ...rows(json, ''),
  ];
  return `${lines.join('\n')}\n`;
}

function rows(schema, path) {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    if (key === '$schema') return [];
    const at = path === '' ? key : `${path}.${key}`;
    if (field.properties !== undefined) return [...heading(at, field), ...rows(field, at)];
    const row = `| \`${at}\` | ${defaultOf(field)} | ${allowed(field)} | ${cell(field.description)} |`;
    return [row, ...(field.items?.properties === undefined ? [] : rows(field.items, `${at}[]`))];
  });
}

function heading(at, { description }) {
  return description === undefined ? [] : [`| \`${at}\` | | object | ${cell(description)} |`];
}

function defaultOf(field) {
  return field.default === undefined ? '' : `\`${cell(JSON.stringify(field.default))}\``;
}

function allowed(field) {
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(', ');
  if (field.type === 'array') return `list of ${field.items?.type ?? 'values'}`;
  const bounds = [field.minimum, field.maximum].map((n) =>
    n === undefined || Math.abs(n) === Number.MAX_SAFE_INTEGER ? '' : String(n),
  );
  if (bounds.every((bound) => bound === '')) return field.type ?? '';
  const most = bounds[1] === '' ? 'and more' : `to ${bounds[1]}`;
  return `${field.type}, ${bounds[0]} ${most}`;
}

function cell(text = '') {
  return text.replaceAll('|', '\\|');
}
