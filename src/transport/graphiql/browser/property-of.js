/**
 * A property of a value whose type is not known; undefined if there is none.
 *
 * @param {unknown} value
 * @param {string} name
 * @returns {unknown}
 */
export function propertyOf(value, name) {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
