import { parse } from 'graphql';
import { expect, test, vi } from 'vitest';
import { combineHooks, operationOf } from '../../../src/graphql/hooks.js';

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const document = parse('query Named { __typename }');
const operation = operationOf({ document });

test('without hooks there is nothing to call, so that operations allocate nothing for them', () => {
  expect(combineHooks([], log)).toBeNull();
});

test('an operation is described by its document, even if the client does not name it', () => {
  expect(operation).toMatchObject({ name: 'Named', kind: 'query' });
  expect(operationOf({ document, operationName: 'Other' })).toMatchObject({ name: 'Other', kind: null });
});

test('a hook that throws, or whose promise rejects, is logged, and the next hook is still called', async () => {
  const started = vi.fn();
  const hooks = combineHooks(
    [
      {
        operationStarted() {
          throw new Error('thrown');
        },
      },
      { operationStarted: async () => Promise.reject(new Error('rejected')) },
      { operationStarted: started },
    ],
    log,
  );
  hooks?.start(operation);
  expect(started).toHaveBeenCalledWith(operation);
  await expect.poll(() => log.error.mock.calls.length).toBe(2);
  expect(log.error.mock.calls.map(([{ error }]) => error.message)).toEqual(['thrown', 'rejected']);
});

test('a subscription that never opened is not closed', () => {
  const calls: string[] = [];
  const hooks = combineHooks(
    [
      {
        subscriptionOpened: () => void calls.push('opened'),
        subscriptionClosed: () => void calls.push('closed'),
        operationFinished: () => void calls.push('finished'),
      },
    ],
    log,
  );
  hooks?.start(operation).finished([]);
  expect(calls).toEqual(['finished']);
  const observer = hooks?.start(operation);
  observer?.opened();
  observer?.finished([]);
  expect(calls).toEqual(['finished', 'opened', 'closed', 'finished']);
});
