import { expect, test } from 'vitest';
import { createMessageReader } from '../../../bench/machine/transaction-counter.js';
import { random } from '../../helpers/random.js';

function message(type: string, length: number): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(length + 4, 1);
  // Contents that look like messages.
  return Buffer.concat([header, Buffer.alloc(length, 'Z')]);
}

test('the types of messages are found, in whatever pieces they arrive', () => {
  const types = ['T', 'D', 'D', 'C', 'Z', 'S', 'Z', '1', 'Z'];
  const bytes = Buffer.concat(types.map((type, index) => message(type, index * 37)));
  for (let seed = 1; seed <= 100; seed += 1) {
    const next = random(seed);
    const found: string[] = [];
    const read = createMessageReader((type) => found.push(String.fromCharCode(type)));
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(next() * 60);
      read(bytes.subarray(at, end));
      at = end;
    }
    expect(found).toEqual(types);
  }
});
