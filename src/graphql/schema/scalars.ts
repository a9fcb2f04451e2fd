import { GraphQLError } from 'graphql';
import { builder } from './builder.js';

/** RFC 3339 with a date, a time and an offset; Date.parse alone takes much more. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

builder.scalarType('DateTime', {
  description:
    'An instant in UTC, RFC 3339 with milliseconds: 2026-11-25T01:49:00.000Z. The same text from every database and every transport.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time',
  serialize: (value) => value.toISOString(),
  parseValue(value) {
    const time = typeof value === 'string' && RFC_3339.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(time))
      throw new GraphQLError('A DateTime is an RFC 3339 text such as 2026-11-25T01:49:00.000Z.');
    return new Date(time);
  },
});
