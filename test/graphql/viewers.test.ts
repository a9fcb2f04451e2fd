import { getNamedType, isCompositeType, isLeafType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, joinRoom, type Person, page, send, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';

/** How deep fields are selected below each type. */
const DEPTH = 3;

/** All fields of a type that need no argument, down to a depth. */
function selectionOf(typeName: string, depth: number): string {
  const type = schema.getType(typeName);
  if (!isObjectType(type)) return '__typename';
  const fields = Object.values(type.getFields()).flatMap((field) => {
    const named = getNamedType(field.type);
    if (field.args.some((arg) => String(arg.type).endsWith('!'))) return [];
    if (isLeafType(named)) return [field.name];
    if (!isCompositeType(named) || depth === 0) return [];
    return [`${field.name} { ${selectionOf(named.name, depth - 1)} }`];
  });
  return ['__typename', ...fields].join(' ');
}

/** The names of the fields, by their paths, whose values differ. */
function differences(one: unknown, other: unknown, path: readonly string[] = []): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other ? [] : [path.join('.')];
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].flatMap((key) =>
    differences((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key], [
      ...path,
      key,
    ]),
  );
}

async function ask(person: Person, type: string, id: string): Promise<unknown> {
  const { data, errors } = await person.request(
    `query ($id: ID!) { node(id: $id) { ... on ${type} { ${selectionOf(type, DEPTH)} } } }`,
    { id },
  );
  expect(errors).toBeUndefined();
  return data?.node;
}

test('what two members of a room are told differs only in fields that are named after the viewer', async () => {
  const parley = await startParley();
  const [alice, bob] = [await signUp(parley.url), await signUp(parley.url)];
  const roomId = await createRoom(alice);
  await joinRoom(bob, roomId);
  const { node } = await send(alice, roomId, 'hello');
  await page(bob, roomId);
  for (const [type, id] of [
    ['Room', roomId],
    ['Message', node.id],
    ['User', alice.userId],
    ['User', bob.userId],
  ] as const) {
    const [one, other] = [await ask(alice, type, id), await ask(bob, type, id)];
    expect(one).toMatchObject({ __typename: type });
    const named = differences(one, other).map((path) => path.split('.'));
    expect(named.filter((path) => !path.some((name) => name.startsWith('viewer')))).toEqual([]);
  }
  await parley.stop();
});
