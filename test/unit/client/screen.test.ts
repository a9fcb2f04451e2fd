import { expect, test } from 'vitest';
import { judgeScreen, type Row } from '../../helpers/recipes/screen.js';

const rows = (...texts: string[]): Row[] =>
  texts.map((text) => ({ text: text.replace('…', ''), isSending: text.endsWith('…') }));
const RIGHT = { lost: [], unexpected: [], duplicated: [], outOfOrder: [] };
const EXPECTED = ['one', 'two', 'three'];

test('a screen that gains its messages in any order is right if each state is in order', () => {
  const states = [rows(), rows('three'), rows('one', 'three'), rows('one', 'two', 'three')];
  expect(judgeScreen(states, EXPECTED)).toEqual(RIGHT);
});

test('a message that is being sent may stand last', () => {
  const states = [rows('one', 'two…'), rows('one', 'three', 'two…'), rows('one', 'two', 'three')];
  expect(judgeScreen(states, EXPECTED)).toEqual(RIGHT);
});

test.each([
  ['a missing message', [rows('one', 'three')], { lost: ['two'] }],
  ['a screen without states', [], { lost: EXPECTED }],
  ['a message that is still being sent', [rows('one', 'two', 'three…')], { lost: ['three'] }],
  ['an unknown message', [rows('one', 'two', 'three', 'four')], { unexpected: ['four'] }],
  [
    'a message that stood twice for a moment',
    [rows('one', 'two', 'two'), rows('one', 'two', 'three')],
    { duplicated: ['two'] },
  ],
  [
    'a message beside its copy that is being sent',
    [rows('one', 'two', 'two…'), rows('one', 'two', 'three')],
    { duplicated: ['two'] },
  ],
  [
    'messages that stood in the wrong order for a moment',
    [rows('one', 'three', 'two'), rows('one', 'two', 'three')],
    { outOfOrder: ['two'] },
  ],
  [
    'a stored message after one that is being sent',
    [rows('one', 'three…', 'two'), rows('one', 'two', 'three')],
    { outOfOrder: ['two'] },
  ],
])('%s is a fault', (_, states, faults) => {
  expect(judgeScreen(states, EXPECTED)).toEqual({ ...RIGHT, ...faults });
});
