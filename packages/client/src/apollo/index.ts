export { possibleTypes } from '../schema-types.js';
export { parleyLink } from './link.js';
export { parleyTypePolicies } from './policies.js';
