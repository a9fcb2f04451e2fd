/** @import { Tab } from './graphiql.js' */
import { elementById, tabs } from './document.js';
import { createFetcher } from './fetcher.js';

/** Renders GraphiQL; the server serves it next to the files of Yoga's bundle. */

const { fetcher, onEditHeaders } = createFetcher(new URL(location.pathname, location.origin));
/** The width below which style.ts stacks the panes. */
const isNarrow = matchMedia('(width < 700px)').matches;
const shared = sharedTab(new URLSearchParams(location.search));
const initial = shared ?? storedTab();

if (isNarrow)
  monaco.editor.onDidCreateEditor((editor) =>
    editor.updateOptions({ wordWrap: 'on', lineNumbers: 'off', folding: false, lineDecorationsWidth: 0 }),
  );

YogaGraphiQL.renderYogaGraphiQL(elementById('root'), {
  title: 'Parley',
  logo: elementById('logo').innerHTML,
  fetcher,
  defaultTabs: shared ? [shared, ...tabs] : tabs,
  query: initial?.query,
  variables: initial?.variables ?? undefined,
  onEditHeaders,
  // Yoga's own page copies every edit into the address, where a password would end up in logs.
  onEditQuery: () => {},
  // Tabs hold passwords and tokens, so they survive a reload, but not the end of the browser tab.
  storage: sessionStorage,
  shouldPersistHeaders: false,
  defaultEditorToolsVisibility: isNarrow ? false : 'variables',
  onTabChange: ({ tabs, activeTabIndex }) => {
    if (tabs[activeTabIndex]?.variables) openVariables();
  },
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

/**
 * The tab that was active before a reload. Without it, GraphiQL adds an empty tab if the active one was never edited.
 *
 * @returns {Tab | null}
 */
function storedTab() {
  const state = JSON.parse(sessionStorage.getItem('graphiql:tabState') ?? '{}');
  return state.tabs?.[state.activeTabIndex] ?? null;
}

function openVariables() {
  const button = document.querySelector('.graphiql-editor-tools [data-name="variables"]');
  if (button instanceof HTMLElement) button.click();
}
