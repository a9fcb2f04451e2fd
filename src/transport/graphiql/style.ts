/**
 * CSS of the page, after GraphiQL's own.
 *
 * The first rule works around a bug of GraphiQL 5: default tabs keep a stale transform from their entrance, and the first
 * click on each brings it back, so that the tab jumps away and the click is lost. Without transforms, a dragged tab moves in
 * steps.
 *
 * GraphiQL has no layout for narrow windows. Below 700 px (see browser/page.js), the panes are stacked, with the sidebar at
 * the bottom; its plugins, such as the documentation, take the place of the panes.
 */
export const STYLE = `
.graphiql-tab { transform: none !important; }
.graphiql-container { height: 100dvh; }
#subscription-status { flex: none; display: block; padding: 8px 16px; border-left: 4px solid #d60690;
  background: hsla(219, 28%, 32%, 0.1); font: 14px/1.4 system-ui, sans-serif; }
#subscription-status[data-state="live"] { border-color: #1a8f4c; }
@media (width < 700px) {
  .graphiql-container { flex-direction: column-reverse; }
  .graphiql-container .graphiql-sidebar { flex-direction: row; width: 100%; padding: 4px 8px; }
  .graphiql-container .graphiql-main { flex-direction: column; min-height: 0; }
  .graphiql-container .graphiql-plugin { border: 0; width: 100%; min-height: 0; }
  .graphiql-container:has(.graphiql-sidebar button.active) .graphiql-plugin { flex: 1 !important; }
  .graphiql-container:has(.graphiql-sidebar button.active) .graphiql-sessions { display: none; }
  .graphiql-container .graphiql-sessions { margin: 0; border-radius: 0; min-height: 0; }
  .graphiql-container .graphiql-session-header { padding: 4px 4px 0; }
  .graphiql-container .graphiql-logo { display: none; }
  .graphiql-container #graphiql-session { flex-direction: column; min-height: 0; padding: 0; }
  .graphiql-container .graphiql-editors { border-radius: 0; min-height: 0; }
  .graphiql-container .graphiql-query-editor { padding: 8px; column-gap: 8px; min-height: 0; overflow: hidden; }
  .graphiql-container .graphiql-response { padding-top: 4px; min-height: 0; }
  .graphiql-horizontal-drag-bar { display: none; }
  .graphiql-tabs { gap: 4px; }
  .graphiql-tab:not(.graphiql-tab-active) .graphiql-tab-button { padding-right: 8px; }
  .graphiql-tab:not(.graphiql-tab-active) .graphiql-tab-close { display: none; }
}
`;
