/**
 * An installation as data: what is to be there, or to be gone, in order. A plan is made without touching anything; each
 * step is then compared with the host (`examine.ts`), and done when it is not done already (`perform.ts`). Doing a plan twice
 * is doing it once.
 */
import { LAYOUT, type ServiceName } from './layout.ts';

export interface Access {
  readonly mode: number;
  /** Names; they may be made by earlier steps. */
  readonly owner: string;
  readonly group: string;
}

export interface FileStep extends Access {
  readonly kind: 'file';
  readonly path: string;
  readonly content: string;
  /** Never shown. */
  readonly secret?: boolean;
  /** A file that is there stays as it is. */
  readonly onlyIfMissing?: boolean;
}

export interface ServiceStep {
  readonly kind: 'service';
  readonly service: ServiceName;
  /** False: only enabled. */
  readonly start: boolean;
  /** A service that runs is started anew when one of these has changed. */
  readonly restartFor: readonly string[];
}

export type Step =
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string; readonly group: string }
  | ({ readonly kind: 'folder'; readonly path: string } & Access)
  /** Rights of what another step makes. */
  | ({ readonly kind: 'access'; readonly path: string } & Access)
  | FileStep
  /** The node's own key pair, made on this host; never made anew. */
  | { readonly kind: 'key'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A copy of the release in `from` (a path of this machine, wherever the root is). */
  | { readonly kind: 'release'; readonly from: string; readonly path: string }
  | { readonly kind: 'cache'; readonly release: string; readonly node: string }
  /** Operator, account, keys and the broker's configuration, made by the requester's program unless the folder is there. */
  | {
      readonly kind: 'authority';
      readonly release: string;
      readonly node: string;
      readonly args: readonly string[];
    }
  | ServiceStep
  | { readonly kind: 'stop'; readonly service: ServiceName }
  | { readonly kind: 'reload' }
  /** What the agent of this host runs and keeps, ended and removed by itself. */
  | { readonly kind: 'reset'; readonly release: string; readonly node: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'remove-if-empty'; readonly path: string }
  | { readonly kind: 'remove-user'; readonly name: string }
  | { readonly kind: 'remove-group'; readonly name: string };

type OfFiles = 'group' | 'user' | 'folder' | 'access' | 'file' | 'key' | 'link';
type Made = 'release' | 'cache' | 'authority';

/** Services, and what a removal takes away. */
export type LaterStep = Exclude<Step, { readonly kind: OfFiles | Made }>;

/** What it is about, for people. */
export function subjectOf(step: Step): string {
  switch (step.kind) {
    case 'group':
    case 'remove-group':
      return `group ${step.name}`;
    case 'user':
    case 'remove-user':
      return `user ${step.name}`;
    case 'cache':
      return `${step.release}/dist/agent.cache`;
    case 'authority':
      return `authority ${LAYOUT.authority}`;
    case 'service':
    case 'stop':
      return `service limpet-${step.service}`;
    case 'reload':
      return 'systemd';
    case 'reset':
      return 'work of the agent';
    default:
      return step.path;
  }
}
