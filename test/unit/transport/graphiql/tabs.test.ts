import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { defaultTabs, ROOM_PLACEHOLDER } from '../../../../src/transport/graphiql/tabs.js';

const schema = buildSchema(
  readFileSync(new URL('../../../../schema/schema.graphql', import.meta.url), 'utf8'),
);
const guest = { username: 'guest', password: 'a "quoted" \\ password' };

describe.each([
  ['with a lobby', 'Um9vbTpsb2JieQ'],
  ['without a lobby', null],
])('the default tabs %s', (_, lobbyId) => {
  const documents = defaultTabs({ ...guest, lobbyId }).map(({ query }) => query);

  test('the default tabs are valid operations, each with its own name', () => {
    const names = documents.map((document) => {
      const ast = parse(document);
      expect(validate(schema, ast)).toEqual([]);
      expect(ast.definitions).toHaveLength(1);
      const [operation] = ast.definitions;
      return operation?.kind === 'OperationDefinition' ? operation.name?.value : undefined;
    });
    expect(names).toEqual([
      'SignUp',
      ...(lobbyId === null ? ['CreateRoom'] : []),
      'SendMessage',
      'History',
      'Listen',
    ]);
  });

  test('the default tabs select the type and the error message of every mutation', () => {
    for (const document of documents.filter((each) => /^mutation/m.test(each))) {
      expect(document).toContain('__typename');
      expect(document).toMatch(/\.\.\. on UserError {\s+message/);
    }
  });

  test('the lines of the default tabs fit the editor in a window of 1280 px', () => {
    const tooLong = documents.flatMap((document) => document.split('\n')).filter((line) => line.length > 50);
    expect(tooLong).toEqual([]);
  });

  test('the default tabs use the lobby, or else a placeholder', () => {
    const rooms = documents.flatMap((document) => document.match(/roomId: "[^"]*"/g) ?? []);
    expect(rooms).toEqual(Array(3).fill(`roomId: "${lobbyId ?? ROOM_PLACEHOLDER}"`));
  });
});
