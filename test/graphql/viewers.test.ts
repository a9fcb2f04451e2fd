import { getNamedType, isCompositeType, isLeafType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, joinRoom, type Person, page, send, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';

/** Maximum depth of the selection. */
const DEPTH = 3;

/** Selects all fields of a type that require no arguments, down to a depth. */
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

/** Paths of the fields whose values differ. */
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

async function fetchNode(person: Person, type: string, id: string): Promise<unknown> {
  const { data, errors } = await person.request(
    `query ($id: ID!) { node(id: $id) { ... on ${type} { ${selectionOf(type, DEPTH)} } } }`,
    { id },
  );
  expect(errors).toBeUndefined();
  return data?.node;
}

test('two members of a room read the same values, except in fields whose names start with viewer', async () => {
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
    const [one, other] = [await fetchNode(alice, type, id), await fetchNode(bob, type, id)];
    expect(one).toMatchObject({ __typename: type });
    const named = differences(one, other).map((path) => path.split('.'));
    expect(named.filter((path) => !path.some((name) => name.startsWith('viewer')))).toEqual([]);
  }
  await parley.stop();
});
