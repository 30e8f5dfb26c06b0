/** What becomes of work of another store once somebody has said so: its owner, or an operator. */
import type { Step } from './change.ts';
import type { Effect } from './events.ts';
import type { ExecutionState } from './states.ts';

/** What is at rest goes on as soon as somebody has said so. */
const goOn = (state: ExecutionState): readonly Effect[] =>
  state === 'publishing' || state === 'starting' ? [RESUME[state]] : [];
const RESUME = { publishing: { type: 'publish' }, starting: { type: 'start' } } as const;

const claim: Step<'claim'> = (record, { placement }) =>
  record.foreign === undefined
    ? undefined
    : {
        to: record.state,
        patch: { placement },
        drop: ['foreign'],
        effects: goOn(record.state),
        cause: 'its owner knows it: no longer foreign',
      };

const answer: Step<'answer'> = (record, { by, word }, now) => {
  const { foreign } = record;
  if (foreign === undefined) return undefined;
  const { answer: told } = foreign;
  const goesOn = word === 'adopt' || record.state === 'publishing';
  if (told !== undefined && (by === 'owner' || (told.by === by && told.word === word)))
    return undefined;
  return {
    to: record.state,
    patch: { foreign: { ...foreign, answer: { by, word, at: now } } },
    effects: by === 'operator' && goesOn ? goOn(record.state) : [],
    cause: `foreign; the word of its ${by}: ${word}`,
  };
};

export const foreignWords = { claim, answer };
