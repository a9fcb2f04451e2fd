import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createDocuments, isAccepted } from '../../../src/graphql/documents.js';
import { schema } from '../../../src/graphql/schema/index.js';
import { dearDocuments } from '../../abuse/documents.js';

/** `npm run abuse -- documents` measures them. */
test.each(
  dearDocuments.map((document) => ({ ...document, outcome: document.isAccepted ? 'accepted' : 'rejected' })),
)('$title: $outcome', ({ text, outcome }) => {
  const documents = createDocuments(schema, true, pino({ level: 'silent' }));
  const prepared = documents.prepare(text);
  expect(isAccepted(prepared) ? 'accepted' : 'rejected').toBe(outcome);
  if (!isAccepted(prepared)) expect(prepared[0]?.extensions.code).toBe('LIMIT_EXCEEDED');
});
