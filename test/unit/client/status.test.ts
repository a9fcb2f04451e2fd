import { expect, test, vi } from 'vitest';
import { ParleyError } from '../../../packages/client/src/errors.js';
import { createStatusTracker } from '../../../packages/client/src/status.js';

test('should report changes only', () => {
  const status = createStatusTracker();
  const listener = vi.fn();
  status.listen(listener);

  status.set('connecting');
  status.set('live');
  status.set('live');

  expect(listener.mock.calls).toEqual([['live', null]]);
  expect(status.status).toBe('live');
});

test('should be behind as long as any operation is, but only while connected', () => {
  const status = createStatusTracker();
  const [one, two] = [{}, {}];
  status.setBehind(one, true);
  expect(status.status).toBe('connecting');

  status.set('live');
  expect(status.status).toBe('behind');
  status.setBehind(two, true);
  status.setBehind(one, false);
  expect(status.status).toBe('behind');
  status.setBehind(two, false);
  expect(status.status).toBe('live');
});

test('should report another reason for the same status', () => {
  const status = createStatusTracker();
  const listener = vi.fn();
  status.listen(listener);
  const [lost, again, closed] = ['CONNECTION_LOST', 'CONNECTION_LOST', 'CONNECTION_CLOSED'].map(
    (code) => new ParleyError(code, 'why'),
  );

  for (const reason of [lost, again, closed]) status.set('offline', reason ?? null);

  expect(listener.mock.calls).toEqual([
    ['offline', lost],
    ['offline', closed],
  ]);
});

test('should not call a listener that was removed', () => {
  const status = createStatusTracker();
  const listener = vi.fn();
  const remove = status.listen(listener);

  remove();
  status.set('live');

  expect(listener).not.toHaveBeenCalled();
});
