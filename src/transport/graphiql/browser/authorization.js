/** @import { GraphQLResult, Headers } from './graphiql.js' */
import { propertyOf } from './property-of.js';

/**
 * The last authorization that was issued to this browser tab or used in it. It is sent if the Headers pane has none, so that
 * the user does not have to paste a token into each tab. It is gone when the browser tab is closed.
 */
const STORAGE_KEY = 'parley:authorization';

/**
 * Adds the remembered authorization to headers that have none. An empty one in the Headers pane means anonymous.
 *
 * @param {Headers} headers
 * @returns {Headers}
 */
export function authorize(headers) {
  const entries = Object.entries(headers);
  const own = entries.find(isAuthorization)?.[1];
  if (own) sessionStorage.setItem(STORAGE_KEY, own);
  const authorization = own ?? sessionStorage.getItem(STORAGE_KEY);
  const others = Object.fromEntries(entries.filter((entry) => !isAuthorization(entry)));
  return authorization ? { ...others, authorization } : others;
}

/** @param {[string, string]} header */
function isAuthorization([name]) {
  return name.toLowerCase() === 'authorization';
}

/**
 * Signs in with the result of any mutation that issues an access token, such as signUp or login.
 *
 * @param {GraphQLResult} result
 */
export function rememberAccessToken(result) {
  for (const payload of Object.values(result.data ?? {})) {
    const accessToken = propertyOf(payload, 'accessToken');
    if (typeof accessToken === 'string') sessionStorage.setItem(STORAGE_KEY, `Bearer ${accessToken}`);
  }
}
