import { expect, test } from 'vitest';
import { PARTS, parseParts, scenesOf } from '../../../bench/parts.js';
import { rowsOf } from '../../../bench/rows.js';
import { estimateSeconds, FULL, orderIn, QUICK } from '../../../bench/scale.js';
import { createResults } from '../../../bench/scenes.js';
import { FLOOR, PARLEY, PEERS, YOGA } from '../../../bench/servers.js';

const nothing = {
  results: createResults(),
  idle: [],
  sends: { 'sends-websocket': [], 'sends-http': [], 'sends-rooms': [] },
  replays: [],
};

/** `1 x 1000: floor rate+saturated, …`, of each scene. */
function told(list: string, peers: typeof PEERS = []): readonly string[] {
  return scenesOf(parseParts(list), peers).map(
    ({ rooms, readersPerRoom, loads }) =>
      `${rooms} x ${readersPerRoom}: ${[...loads].map(([{ name }, kinds]) => `${name} ${kinds.join('+')}`).join(', ')}`,
  );
}

test('a name stands for one part, or for all that begin with it', () => {
  expect([...parseParts('rate-100')]).toEqual(['rate-100']);
  expect([...parseParts('sends,rate')]).toEqual([
    'sends-websocket',
    'sends-http',
    'sends-rooms',
    'rate-1000',
    'rate-2000',
    'rate-100',
  ]);
  expect(() => parseParts('idle,nonsense')).toThrow(
    `There is no part "nonsense". There are: ${PARTS.join(', ')}.`,
  );
});

test('every part has rows, and only the chosen ones are shown', () => {
  for (const part of PARTS) {
    const rows = rowsOf(nothing, new Set([part]));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every((row) => row.part === part)).toBe(true);
  }
});

test('of each scene only that is played which a chosen part is told from', () => {
  expect(told('flood')).toEqual(['1 x 1000: parley flood']);
  expect(told('flood,saturated')).toEqual(['1 x 1000: floor saturated, parley saturated+flood']);
  expect(told('rooms')).toEqual(['100 x 10: floor saturated, parley saturated']);
  expect(told('growth')).toEqual([
    '1 x 1000: parley rate',
    '1 x 2000: parley rate',
    '1 x 100: parley rate',
    '1 x 5000: parley rate',
  ]);
  expect(told('idle,sends,replay')).toEqual([]);
  expect(told(PARTS.join())[0]).toBe(
    `1 x 1000: ${FLOOR.name} rate+saturated, ${PARLEY.name} rate+saturated+flood, ${YOGA.name} rate+saturated`,
  );
});

test('peers take part where the ordinary pipeline does', () => {
  const peers = PEERS.slice(0, 1);
  expect(told('rate-1000', peers)).toEqual(['1 x 1000: floor rate, parley rate']);
  expect(told('yoga', peers)).toEqual([
    '1 x 1000: parley rate+saturated, yoga rate+saturated, socket.io rate+saturated',
  ]);
});

test('servers take turns, the last one first in every second round, and what is far from its bounds sits it out', () => {
  const [first, , , , last] = scenesOf(new Set(PARTS), []);
  if (!first || !last) throw new Error('There are not so many scenes');
  expect(orderIn(1, first)).toEqual([FLOOR, PARLEY, YOGA]);
  expect(orderIn(2, first)).toEqual([PARLEY, FLOOR]);
  expect(orderIn(3, first)).toEqual([FLOOR, PARLEY, YOGA]);
  expect(orderIn(1, last)).toEqual([PARLEY]);
  expect(orderIn(2, last)).toEqual([]);
});

test('a full run takes about 15 minutes, a quick one about 3, and a part of it less', () => {
  const all = new Set(PARTS);
  const scenes = scenesOf(all, []);
  for (const [scale, minutes] of [
    [FULL, 15],
    [QUICK, 3],
  ] as const)
    expect(Math.abs(estimateSeconds(scenes, all, scale) / 60 / minutes - 1)).toBeLessThan(0.08);
  const idle = parseParts('idle');
  expect(estimateSeconds(scenesOf(idle, []), idle, QUICK)).toBeLessThan(60);
});

test('windows at fixed rates last 20 s or more in a full run', () => {
  expect(FULL.rate).toBeGreaterThanOrEqual(20);
});
