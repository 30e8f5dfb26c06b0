/** The instance that everything belongs to, and the way to it; during a hand-over the way leads to another one too. */
import type { Instance } from './instance.ts';
import type { ExecutorClient } from './port.ts';
import { RoutedClient } from './routed-client.ts';
import { RunRouting } from './routing.ts';

export class Current {
  readonly instance: Instance;
  readonly routing: RunRouting;
  #client: { readonly of: ExecutorClient; readonly routed: RoutedClient } | undefined;

  constructor(instance: Instance, routing: RunRouting = new RunRouting(instance.session.client)) {
    this.instance = instance;
    this.routing = routing;
  }

  /** Another one for each instance that takes new work. */
  get client(): ExecutorClient {
    const of = this.routing.primary;
    if (this.#client?.of !== of) this.#client = { of, routed: new RoutedClient(this.routing) };
    return this.#client.routed;
  }
}
