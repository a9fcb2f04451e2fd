import { expect, test } from 'vitest';
import { deriveKey } from '../../../src/auth/keys.js';
import { decodeEnvelope, encodeEnvelope } from '../../../src/bus/envelope.js';
import { createSigner } from '../../../src/bus/signature.js';
import { change } from '../../helpers/bus.js';

const SECRET = 'a secret for tests, longer than 32 bytes';
const signer = createSigner(deriveKey(SECRET, 'bus'));
const ROOM_ID = '0190b1b0-0000-7000-8000-000000000001';

test('a signed envelope has one member more, which earlier releases ignore', () => {
  const sent = change(ROOM_ID, 'Grüße, 世界 👋 "},{');
  const plain = encodeEnvelope(sent);
  const signed = signer.sign(plain);

  const { mac, ...rest } = JSON.parse(signed);
  expect(rest).toEqual(JSON.parse(plain));
  expect(mac).toMatch(/^[\w-]{43}$/);
  expect(decodeEnvelope(signed)).toEqual(sent);
  expect(signer.verify(signed)).toBe('signed');
  expect(signer.verify(plain)).toBe('unsigned');
});

test('every changed character makes a signed envelope forged or unsigned', () => {
  const signed = signer.sign(encodeEnvelope(change(ROOM_ID)));
  for (let index = 0; index < signed.length; index += 1) {
    const changed = `${signed.slice(0, index)}~${signed.slice(index + 1)}`;
    expect(signer.verify(changed), changed).not.toBe('signed');
  }
});

test.each(['', '{', 'null', '"}', ',"mac":"', '{"mac":""}', '{"a":1,"mac":"short"}'])(
  '%j is not signed',
  (text) => {
    expect(signer.verify(text)).toBe('unsigned');
  },
);

test('keys differ by secret, and from the secret', () => {
  const other = createSigner(deriveKey(`${SECRET}!`, 'bus'));
  expect(other.verify(signer.sign('{"a":1}'))).toBe('forged');
  expect(createSigner(Buffer.from(SECRET)).verify(signer.sign('{"a":1}'))).toBe('forged');
});
