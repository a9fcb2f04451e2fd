import { GraphQLError } from 'graphql';
import { builder } from './builder.js';

/** RFC 3339 with date, time and offset. `Date.parse` alone accepts many other formats. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

builder.scalarType('DateTime', {
  description:
    'Date and time in UTC as an RFC 3339 string with milliseconds, for example `2026-11-25T01:49:00.000Z`. Values are always returned in this format, so they can be sorted as strings. Input values may use any RFC 3339 offset.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time',
  serialize: (value) => value.toISOString(),
  parseValue(value) {
    const time = typeof value === 'string' && RFC_3339.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(time))
      throw new GraphQLError('A DateTime must be an RFC 3339 string such as 2026-11-25T01:49:00.000Z.');
    return new Date(time);
  },
});
