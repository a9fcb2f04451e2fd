import { GraphQLError } from 'graphql';
import { expect, test, vi } from 'vitest';
import { createOperations } from '../../../../src/transport/websocket/operations.js';

function createHooks() {
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  // `onError` uses neither the services nor its first three arguments.
  const { hooks } = createOperations({} as never, log);
  return { log, onError: (error: GraphQLError) => hooks.onError?.({} as never, '1', {} as never, [error]) };
}

test('an error that a stream throws outside of the pipeline is masked and logged', () => {
  const { log, onError } = createHooks();
  const thrown = new TypeError('undefined is not iterable');
  // As graphql-ws wraps it.
  expect(onError(new GraphQLError(thrown.message, { originalError: thrown }))).toEqual([
    { message: 'Unexpected error.', extensions: { code: 'INTERNAL', id: expect.any(String) } },
  ]);
  expect(log.error).toHaveBeenCalledTimes(1);
});

test('an error of the pipeline keeps its code and path', () => {
  const { log, onError } = createHooks();
  const thrown = new GraphQLError('No.', {
    path: ['messageAdded'],
    extensions: { code: 'FORBIDDEN', http: { status: 403 } },
  });
  expect(onError(new GraphQLError(thrown.message, { originalError: thrown }))).toEqual([
    { message: 'No.', path: ['messageAdded'], extensions: { code: 'FORBIDDEN' } },
  ]);
  expect(log.error).not.toHaveBeenCalled();
});
