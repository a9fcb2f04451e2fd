/*
 * The verdict on an answer of the server: nothing that a client sends is an error of the server, so each answer is a result, an
 * error with one of the documented codes, or a close with one of the documented codes.
 */

/** How often each kind of answer was received. */
export type Tally = Map<string, number>;

export function count(tally: Tally, kind: string): void {
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
}

/**
 * The codes of errors that a mistake may have; docs/delivery.md documents them. Not INTERNAL, and not SERVICE_UNAVAILABLE: no
 * client may make the database or the bus fail.
 */
const ERROR_CODES: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'HISTORY_GAP',
]);
/** The codes with which the server may close a WebSocket because of what it has received. */
const CLOSE_CODES: ReadonlySet<number> = new Set([1002, 1007, 1009, 4400, 4401, 4409, 4429]);
/** The close of an unexpected error: a close frame of the client is echoed with the client's reason. */
const INTERNAL_ERROR = { code: 1011, reason: 'Internal error' };

/** What no client may see in any answer: internal errors, and where they come from. */
const LEAK =
  /"INTERNAL"|Unexpected error|(?:Type|Range|Reference)Error|\n\s+at \S|\.[cm]?js:\d+|node:internal/;
const STATUS = /HTTP\/1\.1 (\d{3})/g;
const CODE = /"extensions":\{[^{}]*?"code":"(\w+)"/g;

/** Why a message of the server is wrong; null if it is not. */
export function problemOfMessage(text: string, tally: Tally): string | null {
  if (LEAK.test(text)) return `the server has sent ${text}`;
  const { type, errors } = readMessage(text);
  count(tally, errors.length > 0 ? `${type} with errors` : type);
  const [uncoded] = errors.filter((code) => !ERROR_CODES.has(code));
  return uncoded === undefined ? null : `the server has sent an error with the code ${uncoded}: ${text}`;
}

function readMessage(text: string): { type: string; errors: readonly string[] } {
  // `payload` is a list of errors, or a result that may have some. Whatever else it is throws, which is a failure too.
  const message = JSON.parse(text) as {
    type: string;
    payload?: { errors?: readonly GraphQLError[] } | readonly GraphQLError[];
  };
  const { type, payload } = message;
  const errors = Array.isArray(payload) ? payload : payload && 'errors' in payload ? payload.errors : [];
  return { type, errors: (errors ?? []).map(codeOf) };
}

interface GraphQLError {
  readonly extensions?: { readonly code?: unknown };
}

function codeOf({ extensions }: GraphQLError): string {
  return String(extensions?.code);
}

/** @param payload of the close frame. @param mayEcho whether the client may have sent a close frame. */
export function problemOfClose(payload: Buffer, mayEcho: boolean, tally: Tally): string | null {
  const code = payload.length < 2 ? 0 : payload.readUInt16BE(0);
  const reason = payload.toString('utf8', 2);
  const isOwn = CLOSE_CODES.has(code);
  count(tally, isOwn ? `close ${code}` : 'close of the client');
  const isInternal = code === INTERNAL_ERROR.code && reason === INTERNAL_ERROR.reason;
  if (!isInternal && (isOwn || mayEcho)) return null;
  return `the server has closed the connection with ${code} ${reason}`;
}

/** Why the answers on one HTTP connection are wrong; null if they are not. */
export function problemOfResponses(text: string, tally: Tally): string | null {
  const excerpt = (at: number): string =>
    `the server has answered ${text.slice(Math.max(0, at - 300), at + 300)}`;
  const leak = LEAK.exec(text);
  if (leak) return excerpt(leak.index);
  for (const { 1: status = '', index } of text.matchAll(STATUS)) {
    count(tally, `HTTP ${status}`);
    if (Number(status) >= 500) return excerpt(index);
  }
  for (const _ of text.matchAll(/"data":\{/g)) count(tally, 'HTTP data');
  for (const { 1: code = '', index } of text.matchAll(CODE)) {
    count(tally, `HTTP ${code}`);
    if (!ERROR_CODES.has(code)) return excerpt(index);
  }
  return null;
}
