/** A registry on loopback with images of one layer each; what it serves can be changed at will. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { craftedArchive } from './crafted-archive.ts';
import type { Teardown } from './teardown.ts';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

export interface Registry {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Puts an image of one file with this text under `name:tag`; answers its name for a pull. */
  put(this: void, name: string, text: string): string;
  /** How often the manifest of `name:tag` was asked for. */
  lookups(this: void, name: string): number;
}

interface Blob {
  readonly type: string;
  readonly body: Buffer;
}

export interface RegistryOptions {
  /** Sends the body of a layer, and ends; at once when missing. */
  readonly sendLayer?: (response: ServerResponse, body: Buffer) => void;
}

export async function registry(t: Teardown, options: RegistryOptions = {}): Promise<Registry> {
  const blobs = new Map<string, Blob>();
  const lookups = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const key = /^\/v2\/(.+)\/(?:manifests|blobs)\/(.+)$/.exec(path);
    const name = key?.[2]?.startsWith('sha256:') === true ? key[2] : `${key?.[1]}:${key?.[2]}`;
    lookups.set(name, (lookups.get(name) ?? 0) + 1);
    answer(request, response, { ...options, blob: path === '/v2/' ? empty : blobs.get(name) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the registry has no port');
  const address = `127.0.0.1:${bound.port}`;
  const put = (name: string, text: string) => {
    const image = imageOf(text);
    for (const blob of image) blobs.set(digest(blob.body), blob);
    blobs.set(name, image[0]);
    return `${address}/${name}`;
  };
  return { address, put, lookups: (name) => lookups.get(name) ?? 0 };
}

const empty: Blob = { type: 'application/json', body: Buffer.from('{}') };

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { blob, sendLayer }: RegistryOptions & { readonly blob: Blob | undefined },
): void {
  if (blob === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such image"}]}');
    return;
  }
  const head = { 'content-type': blob.type, 'content-length': blob.body.length };
  response.writeHead(200, { ...head, 'docker-content-digest': digest(blob.body) });
  if (request.method === 'HEAD') response.end();
  else if (blob.type === LAYER && sendLayer !== undefined) sendLayer(response, blob.body);
  else response.end(blob.body);
}

/** Manifest, config and layer. */
function imageOf(text: string): readonly [Blob, Blob, Blob] {
  const layer = { type: LAYER, body: craftedArchive([{ path: 'text', body: text }]) };
  const config = jsonBlob(CONFIG, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/text'] },
    rootfs: { type: 'layers', diff_ids: [digest(gunzipSync(layer.body))] },
  });
  const manifest = jsonBlob(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: described(config),
    layers: [described(layer)],
  });
  return [manifest, config, layer];
}

function jsonBlob(type: string, value: object): Blob {
  return { type, body: Buffer.from(JSON.stringify(value)) };
}

function described({ type, body }: Blob) {
  return { mediaType: type, size: body.length, digest: digest(body) };
}

function digest(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}
