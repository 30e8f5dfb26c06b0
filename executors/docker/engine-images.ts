/** The images of an engine. */
import { z } from 'zod';
import type { EngineCalls } from './engine-call.ts';
import { orMissing } from './engine-error.ts';

export interface LocalImage {
  readonly id: string;
  /** Id of the local image that it was built on; '' when there is none. */
  readonly parent: string;
  /** Tags, then digests, as `name:tag` and `name@digest`. */
  readonly names: readonly string[];
  /** Layers that it shares with others counted in. */
  readonly bytes: number;
}

const imagesSchema = z.array(
  z.object({
    Id: z.string(),
    ParentId: z.string().default(''),
    RepoTags: z.array(z.string()).nullish(),
    RepoDigests: z.array(z.string()).nullish(),
    Size: z.number().default(0),
  }),
);

function pathOf(image: string): string {
  return `/images/${image.split('/').map(encodeURIComponent).join('/')}`;
}

/** The id of a local image; undefined when there is none of that name. */
export async function imageId(calls: EngineCalls, image: string): Promise<string | undefined> {
  const answer = await orMissing(
    calls.json({ what: `inspect image ${image}`, path: `${pathOf(image)}/json` }),
  );
  return answer === undefined ? undefined : z.object({ Id: z.string() }).parse(answer).Id;
}

/** All of them, those without a name too. */
export async function listImages(calls: EngineCalls): Promise<readonly LocalImage[]> {
  const answer = await calls.json({
    what: 'list images',
    path: '/images/json',
    query: { all: true },
    timeoutMs: 60_000,
  });
  return imagesSchema.parse(answer).map((i) => ({
    id: i.Id,
    parent: i.ParentId,
    // The engine writes `<none>:<none>` for "no name".
    names: [...(i.RepoTags ?? []), ...(i.RepoDigests ?? [])].filter((n) => !n.startsWith('<')),
    bytes: i.Size,
  }));
}

/** Ids of the images of all containers, whoever made them and whether or not they run. */
export async function usedImages(calls: EngineCalls): Promise<readonly string[]> {
  const answer = await calls.json({
    what: 'list containers',
    path: '/containers/json',
    query: { all: true },
    timeoutMs: 30_000,
  });
  const containers = z.array(z.object({ ImageID: z.string() })).parse(answer);
  return containers.map((c) => c.ImageID);
}

/** Takes this name away, and the image with its last one. `conflict`: it is in use. */
export async function removeImage(calls: EngineCalls, image: string): Promise<void> {
  await orMissing(
    calls.json({
      what: `remove image ${image}`,
      method: 'DELETE',
      path: pathOf(image),
      query: { force: false, noprune: true },
      timeoutMs: 300_000,
    }),
  );
}
