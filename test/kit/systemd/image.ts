/** The archive as an image of the engine, named by what it is made from. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type Docker from 'dockerode';

/** Makes sure that the engine has it; answers its name. */
export async function systemdImage(docker: Docker, archive: string): Promise<string> {
  const tag = basename(archive, '.tar').replace('systemd-', '');
  const name = `fixture/systemd:${tag}`;
  const has = await docker
    .getImage(name)
    .inspect()
    .then(() => true)
    .catch((error: { readonly statusCode?: number }) => {
      if (error.statusCode === 404) return false;
      throw error;
    });
  if (!has) await importArchive(docker, archive, tag);
  return name;
}

async function importArchive(docker: Docker, archive: string, tag: string): Promise<void> {
  const changes = ['ENV container=docker'];
  const options = { fromSrc: '-', repo: 'fixture/systemd', tag, changes };
  const progress = await docker.importImage(createReadStream(archive), options);
  let answer = '';
  for await (const chunk of progress) answer += String(chunk);
  if (answer.includes('"error"')) throw new Error(`the engine refused ${archive}: ${answer}`);
}
