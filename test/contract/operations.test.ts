import { readdir, readFile } from 'node:fs/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { beforeAll, expect, test } from 'vitest';
import {
  CreateRoomDocument,
  JoinRoomDocument,
  LoginDocument,
  MessageAddedDocument,
  type MessageAddedSubscription,
  RoomEventsDocument,
  type RoomEventsSubscription,
  RoomMessagesDocument,
  SendMessageDocument,
  SignUpDocument,
  ViewerDocument,
} from '../../schema/generated/graphql.js';
import { connect, LOBBY, request } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

/** Runs the documents that clients are generated from as a typed client would. */
let parley: TestParley;
let token: string;

beforeAll(async () => {
  parley = await startParley();
  const { signUp } = await run(SignUpDocument, { input: { username: 'ada', password: 'correct horse' } });
  if (signUp.__typename !== 'AuthPayload') throw new Error(JSON.stringify(signUp));
  token = signUp.accessToken;
});

async function run<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const { data, errors } = await request<Data>(parley.url, print(document), variables, token);
  expect(errors).toBeUndefined();
  if (!data) throw new Error('The response has no data.');
  return data;
}

test('every shared operation is generated and used in this file', async () => {
  const folder = new URL('../../schema/operations/', import.meta.url);
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(new URL(name, folder), 'utf8')),
  );
  const names = texts.flatMap((text) =>
    [...text.matchAll(/^(?:query|mutation|subscription) (\w+)/gm)].map(([, name]) => name),
  );
  const used = await readFile(new URL(import.meta.url), 'utf8');
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(used).toMatch(new RegExp(`\\b(run\\(|print\\()${name}Document`));
});

test('the results of queries and mutations have the generated types', async () => {
  const { login } = await run(LoginDocument, { input: { username: 'ADA', password: 'correct horse' } });
  expect(login).toMatchObject({ __typename: 'AuthPayload', viewer: { user: { username: 'ada' } } });

  const { createRoom } = await run(CreateRoomDocument, { input: { name: 'Engines' } });
  if (createRoom.__typename !== 'CreateRoomPayload') throw new Error(JSON.stringify(createRoom));
  expect(createRoom.room).toMatchObject({ kind: 'PUBLIC', name: 'Engines', topic: null });
  const roomId = createRoom.room.id;

  const { joinRoom } = await run(JoinRoomDocument, { input: { roomId } });
  expect(joinRoom).toMatchObject({ __typename: 'JoinRoomPayload', room: { viewerIsMember: true } });

  const input = { roomId, text: 'Hello', clientMessageId: 'a' };
  const { sendMessage } = await run(SendMessageDocument, { input });
  if (sendMessage.__typename !== 'SendMessagePayload') throw new Error(JSON.stringify(sendMessage));

  const { roomMessages } = await run(RoomMessagesDocument, { roomId });
  expect(roomMessages?.edges).toEqual([sendMessage.edge]);
});

test('the results of subscriptions have the generated types', async () => {
  const client = connect(parley.webSocketUrl, { token });
  const { roomMessages } = await run(RoomMessagesDocument, { roomId: LOBBY });
  const variables = { roomId: LOBBY, after: roomMessages?.liveCursor };
  const edges = client.iterate<MessageAddedSubscription>({ query: print(MessageAddedDocument), variables });
  const events = client.iterate<RoomEventsSubscription>({ query: print(RoomEventsDocument), variables });
  const next = edges.next();
  expect((await events.next()).value).toMatchObject({
    data: { roomEvents: { __typename: 'CaughtUpEvent' } },
  });
  const { sendMessage } = await run(SendMessageDocument, { input: { roomId: LOBBY, text: 'Hi' } });
  if (sendMessage.__typename !== 'SendMessagePayload') throw new Error(JSON.stringify(sendMessage));
  expect((await next).value).toEqual({ data: { messageAdded: sendMessage.edge } });
  expect((await events.next()).value).toMatchObject({
    data: { roomEvents: { __typename: 'MessageAddedEvent', edge: sendMessage.edge } },
  });
});

test('a message is by the viewer if its author has the id of `viewer.user`', async () => {
  const { viewer } = await run(ViewerDocument, {});
  const { sendMessage } = await run(SendMessageDocument, { input: { roomId: LOBBY, text: 'Mine' } });
  if (sendMessage.__typename !== 'SendMessagePayload') throw new Error(JSON.stringify(sendMessage));

  expect(sendMessage.edge.node.author?.id).toBe(viewer?.user.id);
  expect(sendMessage.edge.node.author?.id).not.toBe(viewer?.id);
});
