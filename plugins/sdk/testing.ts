/** The kit for tests of a plugin: the plugin alone under a scripted agent, or a whole cluster under a scripted requester. */
export { eventually } from './testing/eventually.ts';
export type { TestRun, TestRunKey } from './testing/run.ts';
export type { SeenRun } from './testing/seen-run.ts';
export {
  scriptedAgent,
  type ScriptedAgent,
  type ScriptedAgentOptions,
  type SeenLog,
} from './testing/scripted-agent.ts';
export {
  scriptedRequester,
  type ScriptedRequester,
  type ScriptedRequesterOptions,
} from './testing/scripted-requester.ts';
