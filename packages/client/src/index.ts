export { createParleyClient, type ParleyClient, type ParleyClientOptions } from './client.js';
export { ParleyError, type ParleyErrorCode } from './errors.js';
export type { Result } from './result.js';
export type { WebSocketConstructor, WebSocketLike } from './sockets.js';
export type { Token, TokenRequest, TokenSource } from './token.js';
export type {
  OnHistoryGap,
  OnStatus,
  ParleyStatus,
  RequestArgs,
  RequestOptions,
  ResultObserver,
  SubscribeOptions,
  Subscriber,
  TypedDocumentNode,
} from './types.js';
