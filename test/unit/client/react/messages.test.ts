import { expect, test } from 'vitest';
import { createMessageList, type UnsentMessage } from '../../../../packages/client/src/react/messages.js';

const message = (
  seq: number,
  { revision = 1, text = `text ${seq}`, clientMessageId = null as string | null } = {},
) => ({
  id: `id ${seq}`,
  seq,
  revision,
  text,
  clientMessageId,
});
const unsent = (key: string): UnsentMessage => ({
  key,
  id: key,
  seq: 0,
  text: `text of ${key}`,
  clientMessageId: key,
  status: 'sending',
  error: null,
});

function createList() {
  const list = createMessageList<object>();
  return {
    ...list,
    texts: () => list.all().map(({ text }) => text),
    keys: () => list.all().map(({ key }) => key),
  };
}

test('should show each message once, in `seq` order, in whichever order they arrive', () => {
  const list = createList();
  list.add([message(3), message(1)]);
  list.add([message(2), message(3)]);

  expect(list.texts()).toEqual(['text 1', 'text 2', 'text 3']);
});

test('should keep the copy with the higher revision', () => {
  const list = createList();
  list.add([message(1, { revision: 2, text: 'edited' })]);
  list.add([message(1)]);
  list.update(message(1));
  expect(list.texts()).toEqual(['edited']);

  list.update(message(1, { revision: 3, text: 'edited again' }));
  expect(list.texts()).toEqual(['edited again']);
});

test('should ignore changes of messages that it does not have', () => {
  const list = createList();
  list.update(message(1));

  expect(list.texts()).toEqual([]);
});

test('should show unsent messages last, and replace each by its stored copy under the same key', () => {
  const list = createList();
  list.put(unsent('a'));
  list.put(unsent('b'));
  list.add([message(1)]);
  expect(list.texts()).toEqual(['text 1', 'text of a', 'text of b']);

  list.add([message(2, { clientMessageId: 'b' })]);
  expect(list.keys()).toEqual(['id 1', 'b', 'a']);
  // The mutation's result after the subscription's event.
  list.add([message(2, { clientMessageId: 'b' })]);
  expect(list.keys()).toEqual(['id 1', 'b', 'a']);
});

test('should not let a message take the place of another one by its `clientMessageId`', () => {
  const list = createList();
  list.put(unsent('a'));
  list.add([message(1, { clientMessageId: 'a' })]);
  list.add([message(2, { clientMessageId: 'a', text: 'forged' })]);

  expect(list.texts()).toEqual(['text 1', 'forged']);
  expect(list.keys()).toEqual(['a', 'id 2']);
});

test('should keep unsent messages when the stored ones are cleared', () => {
  const list = createList();
  list.add([message(1)]);
  list.put(unsent('a'));
  list.clearStored();

  expect(list.texts()).toEqual(['text of a']);
});
