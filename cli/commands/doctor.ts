/** `limpet doctor`: is everything as this host's agent and requester need it? Heavy looks are made by these programs. */
import { Command } from 'commander';
import { doctorReportSchema, type DoctorReport } from '../../wire/doctor.ts';
import { runProgramForAnswer } from '../agent-program.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { reportText } from '../doctor/report.ts';
import { subjectsOf, type DoctorOptions } from '../doctor/subjects.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';

/** Each look has a deadline of its own; this is for a program that does not even start. */
const REPORT_MS = 60_000;

const MEANING = `
Looks at what is installed here, or at what stands in LIMPET_DATA or ~/.limpet, and changes nothing. A running agent is
asked, of one that does not run the folder is looked at. Run it as root, or as the user of the agent: what it may not
look at is skipped, with the reason. Exit code: 0, or 1 when a check fails; warnings and skipped checks fail nothing.`;

export function doctor(context: Context, done: (exitCode: number) => void): Command {
  return new Command('doctor')
    .description('look for what is wrong with the agent and the requester of this host')
    .option('--config <file>', "the agent's configuration")
    .option(
      '--data <folder>',
      "the agent's folder; else the one of --config, or agent/ in LIMPET_DATA or ~/.limpet",
    )
    .option('--requester-config <file>', "the requester's configuration")
    .option(
      '--requester-data <folder>',
      "the requester's folder; else requester/ in LIMPET_DATA or ~/.limpet",
    )
    .addOption(outputOption())
    .addHelpText('after', MEANING)
    .action(async (options: DoctorOptions & OutputOptions) => {
      const { agent, requester } = subjectsOf(options, context.env);
      const reports: DoctorReport[] = [];
      const look = async (program: 'agent' | 'requester', args: readonly string[]) =>
        reports.push(doctorReportSchema.parse(await runProgramForAnswer(program, args, REPORT_MS)));
      if (requester !== undefined) await look('requester', requester);
      if (agent !== undefined) await look('agent', agent);
      const ok = reports.every(({ checks }) => checks.every(({ result }) => result !== 'fail'));
      print(
        context,
        options.output === 'json'
          ? JSON.stringify({ v: 1, ok, reports }, undefined, 2)
          : reportText(reports),
      );
      done(ok ? 0 : 1);
    });
}
