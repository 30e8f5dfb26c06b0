import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  ExecRequestSchema,
  ExecResponse,
} from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual } from './expect.ts';
import type { Rule, Spec } from './types.ts';
import { ticking } from './work.ts';

const EXEC_MS = 20_000;

async function* requests({
  key,
}: Spec): AsyncGenerator<MessageInitShape<typeof ExecRequestSchema>> {
  yield { message: { case: 'open', value: { key, argv: ['sh', '-c', 'echo in; exit 3'] } } };
  yield { message: { case: 'stdinClose', value: true } };
}

function outputOf(answers: readonly ExecResponse[]): string {
  const data = answers.flatMap(({ message }) =>
    message.case === 'output' ? [message.value.data] : [],
  );
  return Buffer.concat(data).toString('utf8');
}

export const execExit: Rule = {
  id: 'streams/exec-exit',
  title: 'Exec answers Started first, then the output, and Exit with the code as its last message',
  needs: ['exec', 'long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const answers: ExecResponse[] = [];
    for await (const answer of bench.plugin.calls.exec(requests(run), { deadlineMs: EXEC_MS }))
      answers.push(answer);
    demandEqual('first message', answers[0]?.message.case, 'started');
    const last = answers.at(-1)?.message;
    demandEqual('last message', last?.case, 'exit');
    if (last?.case === 'exit') demandEqual('exit code', last.value.code, 3);
    const isOne = answers.filter(({ message }) => message.case === 'exit').length === 1;
    demand(isOne, 'one message with Exit', 'more than one');
    demandEqual('output', JSON.stringify(outputOf(answers)), '"in\\n"');
  },
};
