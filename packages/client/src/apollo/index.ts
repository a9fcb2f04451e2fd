export { parleyLink } from './link.js';
export { parleyTypePolicies } from './policies.js';
export { possibleTypes } from './possible-types.js';
