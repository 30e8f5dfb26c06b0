/** What executors take, as the nodes told it, and a job checked without being taken. */
import { LimpetError } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';
import { checkParams } from '../jobs/check-params.ts';
import type { EngineSchemas, JobChecked } from '../../wire/http.ts';
import { answer, readBody } from './answer.ts';
import type { ApiContext } from './context.ts';
import { member } from './json.ts';
import type { RouteTable } from './route-table.ts';
import { executorSchema } from './executor-schema.ts';

export function schemaRoutes(routes: RouteTable, context: ApiContext): void {
  const { world, schemas } = context;
  routes.add('reader', 'GET /api/v1/limpet/engines', (c) =>
    answer(c, { Engines: engines(context) }),
  );
  routes.add('reader', 'POST /api/v1/limpet/jobs/validate', async (c) => {
    const job = member(await readBody(c), 'Job');
    if (job === undefined || job === null)
      throw new LimpetError('invalid-argument', 'the body has no Job; expected {"Job": {...}}');
    const { spec, warnings } = parseJobSpec(job, 'lenient');
    const params = checkParams(world.nodes(), schemas, spec.Tasks[0].Engine);
    const checked: JobChecked = {
      Warnings: warnings.length === 0 ? null : warnings,
      ParamsChecked: params.checked,
      ...(params.checked ? {} : { Reason: params.reason }),
    };
    return answer(c, checked);
  });
}

interface Engine {
  readonly nodes: string[];
  /** By hash. */
  readonly schemas: Map<string, unknown>;
}

/** By name; of each the schemas that its nodes have, without those that cannot be used. */
function engines({ world, schemas }: ApiContext): EngineSchemas[] {
  const byName = new Map<string, Engine>();
  for (const { id, membership, info } of world.nodes()) {
    if (membership.state !== 'approved') continue;
    for (const executor of info.executors) {
      const engine = byName.get(executor.name) ?? {
        nodes: [],
        schemas: new Map<string, unknown>(),
      };
      byName.set(executor.name, engine);
      engine.nodes.push(id);
      const { ParamsSchema } = executorSchema(schemas, executor);
      if (ParamsSchema !== undefined) engine.schemas.set(executor.paramsSchema ?? '', ParamsSchema);
    }
  }
  return [...byName]
    .map(([Type, engine]) => ({ Type, Nodes: engine.nodes, Schemas: [...engine.schemas.values()] }))
    .sort((a, b) => (a.Type < b.Type ? -1 : 1));
}
