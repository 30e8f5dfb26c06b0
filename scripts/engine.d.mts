/** DOCKER_HOST, else the usual socket, as `unix://PATH` or `tcp://HOST:PORT`. */
export function engineHost(): string;
export function engineAnswers(host?: string): Promise<boolean>;

export interface EngineCall {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array;
  readonly type?: string;
  readonly timeoutMs?: number;
}
/** One raw HTTP call; rejects when the engine does not answer in time. */
export function callEngine(
  host: string,
  call: EngineCall,
): Promise<{ readonly status: number; readonly body: string }>;

/** Why no private engine can run here; undefined when it can. */
export function privateEngineMissing(): string | undefined;

export interface PrivateEngine {
  readonly host: string;
  /** Of dockerd. */
  readonly pid: number;
  readonly log: string;
  /** Starts dockerd again after `kill`, on the same data. */
  start(): Promise<void>;
  /** SIGKILL unless told otherwise; waits until dockerd is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Removes every container, ends dockerd, removes its folder; twice is the same as once. */
  stop(): Promise<void>;
}
/** A dockerd of our own; with `liveRestore` its containers survive its death. */
export function startPrivateEngine(options?: {
  readonly liveRestore?: boolean;
}): Promise<PrivateEngine>;
