/** @import { Tab } from './graphiql.js' */
import { elementById, tabs } from './document.js';
import { createFetcher } from './fetcher.js';

/** Renders GraphiQL; the server serves it next to the files of Yoga's bundle. */

const { fetcher, onEditHeaders } = createFetcher(new URL(location.pathname, location.origin));
const shared = sharedTab(new URLSearchParams(location.search));

YogaGraphiQL.renderYogaGraphiQL(elementById('root'), {
  title: 'Parley',
  logo: elementById('logo').innerHTML,
  fetcher,
  defaultTabs: shared ? [shared, ...tabs] : tabs,
  query: shared?.query,
  variables: shared?.variables ?? undefined,
  onEditHeaders,
  // Yoga's own page copies every edit into the address, where a password would end up in logs.
  onEditQuery: () => {},
  // Tabs hold passwords and tokens, so they survive a reload, but not the end of the browser tab.
  storage: sessionStorage,
  shouldPersistHeaders: false,
  defaultEditorToolsVisibility: 'headers',
});

/**
 * A share link (`?query=`) opens as a tab of its own, before the default ones.
 *
 * @param {URLSearchParams} params
 * @returns {Tab | null}
 */
function sharedTab(params) {
  const query = params.get('query');
  return query ? { query, variables: params.get('variables') } : null;
}
