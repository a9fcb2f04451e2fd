/**
 * The least that a server has to do for each message that is sent or replayed: ws or HTTP, postgres.js, `JSON.stringify`,
 * and a Redis client that publishes. Sends call the SQL function that Parley calls; replays select messages with their
 * authors. It checks nothing, and trusts every client.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { WebSocketServer } from 'ws';
import { decodeMessageCursor } from '../../dist/domain/cursor.js';
import { bytesToUuid } from '../../dist/domain/id.js';
import { channelOf, edgeOf, settings } from './stream.mjs';

/** Rows per page of a replay, as in Parley. */
const PAGE_SIZE = 100;

const redis = new Redis(settings.redisUrl);
const sql = postgres(process.env.DATABASE_URL, { max: 10 });
const [{ id: authorId }] = await sql`select id from users where username = ${settings.author.username}`;

const uuidOf = (globalId) => bytesToUuid(Buffer.from(globalId.slice(1), 'base64url'));

/** Stores a message, publishes it, and returns the result of the mutation. */
async function send({ roomId: globalId, text }) {
  const roomId = uuidOf(globalId);
  const draft = { id: randomUUID(), author_id: authorId, text, client_message_id: null };
  const [row] = await sql`
    select epoch, (message).id, (message).seq, (message).rev, (message).text, (message).created_at
    from send_messages(${roomId}::uuid, ${sql.json([draft])}::jsonb)`;
  const { epoch, id, seq, rev, created_at: createdAt } = row;
  const message = { id, seq, rev, type: 'TEXT', authorId, text: row.text, createdAt };
  redis.publish(
    channelOf(globalId),
    JSON.stringify({ roomId, epoch, head: { seq, rev }, messages: [message] }),
  );
  const { cursor, node } = edgeOf({ roomId, epoch }, message);
  return {
    data: {
      sendMessage: {
        __typename: 'SendMessagePayload',
        edge: { cursor, node: { id: node.id, seq: node.seq } },
      },
    },
  };
}

/** Sends all messages after a cursor. */
async function replay(socket, id, { roomId: globalId, after }) {
  const roomId = uuidOf(globalId);
  const { seq, epoch } = decodeMessageCursor(after, roomId, 'after');
  const prefix = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  for (let last = seq; ; ) {
    const rows = await sql`
      select message.id, message.seq, message.text, message.created_at as "createdAt", author.username,
        author.display_name as "displayName"
      from messages as message join users as author on author.id = message.author_id
      where message.room_id = ${roomId} and message.seq > ${last}
      order by message.seq limit ${PAGE_SIZE}`;
    for (const row of rows) {
      const { cursor, node } = edgeOf({ roomId, epoch }, row);
      const author = { username: row.username, displayName: row.displayName };
      const payload = { data: { messageAdded: { cursor, node: { ...node, author } } } };
      socket.send(`${prefix}${JSON.stringify(payload)}}`);
    }
    if (rows.length < PAGE_SIZE) return;
    last = rows.at(-1).seq;
    if (socket.bufferedAmount > 0) await new Promise((resolve) => socket._socket.once('drain', resolve));
  }
}

const http = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text) => {
    body += text;
  });
  request.on('end', async () => {
    const result = JSON.stringify(await send(JSON.parse(body).variables.input));
    response.writeHead(200, {
      'content-type': 'application/graphql-response+json',
      'content-length': Buffer.byteLength(result),
    });
    response.end(result);
  });
});

const server = new WebSocketServer({
  server: http,
  handleProtocols: () => 'graphql-transport-ws',
  perMessageDeflate: false,
});
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', async (data) => {
    const { id, type, payload } = JSON.parse(String(data));
    if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    if (type !== 'subscribe') return;
    if (payload.variables.after) return replay(socket, id, payload.variables);
    socket.send(JSON.stringify({ id, type: 'next', payload: await send(payload.variables.input) }));
    socket.send(JSON.stringify({ id, type: 'complete' }));
  });
});
http.listen(settings.port, '127.0.0.1');
