import { ParleyError } from './errors.js';

/** What happens after a close code, by the table in Parley's docs/delivery.md. */
const EXPIRED = 4403;
const SIGNED_OUT = 4401;
/** A frame over the limit, an unexpected server error, or a fault of the client. */
const FINAL = [SIGNED_OUT, 1009, 1011, 4400, 4406, 4409, 4429];

/** Why a socket is gone, as far as it is known: a connection that was refused has no code. */
export interface Close {
  readonly code: number;
  readonly reason: string;
}

export const TOKEN_EXPIRED: Close = { code: EXPIRED, reason: 'The token has expired' };

/** Reads a `CloseEvent`, an `Event` or an `Error`, whichever the WebSocket reported. The code is 0 if there is none. */
export function readClose(event: unknown): Close {
  const { code, reason }: { readonly code?: unknown; readonly reason?: unknown } = Object(event);
  return { code: Number(code ?? 0), reason: String(reason ?? '') };
}

export function isExpiry({ code }: Close): boolean {
  return code === EXPIRED;
}

/** Whether retries make no sense after this close. */
export function isFinal({ code }: Close): boolean {
  return FINAL.includes(code);
}

/** The error of what ends with this close, or of the status while retries go on. */
export function errorOfClose({ code, reason }: Close, gaveUp: boolean): ParleyError {
  const whenGivenUp = code === SIGNED_OUT || code === EXPIRED ? 'UNAUTHENTICATED' : 'CONNECTION_CLOSED';
  return new ParleyError(
    gaveUp ? whenGivenUp : 'CONNECTION_LOST',
    code ? `The connection was closed: ${code} ${reason}` : 'The connection broke.',
    code ? { closeCode: code } : {},
  );
}
