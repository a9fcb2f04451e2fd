import type { Attack } from './attack.js';
import { guessedPasswords, oneNetwork, signUps } from './attacks/accounts.js';
import { hostileBytes } from './attacks/hostile.js';
import { pipelining, slowRequests, unreadAssets } from './attacks/http.js';
import { lookAlikes } from './attacks/names.js';
import {
  dearDocuments,
  hugeAnswers,
  nestedLists,
  strangersMessages,
  tokenVariants,
} from './attacks/operations.js';
import { anonymousSockets, forgedEnvelopes, manySubscriptions } from './attacks/sockets.js';

/** All attacks, in the order of the table. */
export const attacks: readonly Attack[] = [
  pipelining,
  nestedLists,
  dearDocuments,
  hugeAnswers,
  unreadAssets,
  slowRequests,
  anonymousSockets,
  manySubscriptions,
  guessedPasswords,
  oneNetwork,
  signUps,
  lookAlikes,
  strangersMessages,
  tokenVariants,
  forgedEnvelopes,
  hostileBytes,
];
