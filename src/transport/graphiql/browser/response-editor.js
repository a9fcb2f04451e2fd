/**
 * Changes the content of the response pane. The pane stays where it was, or follows the end if that was visible: Monaco
 * scrolls to the top when its content is replaced.
 *
 * @param {() => void} change
 */
export function followEnd(change) {
  const editor = monaco.editor
    .getEditors()
    .find((each) => each.getModel()?.uri.path.endsWith('response.json'));
  const lineCount = () => editor?.getModel()?.getLineCount() ?? 1;
  const isAtEnd = (editor?.getVisibleRanges().at(-1)?.endLineNumber ?? 1) >= lineCount();
  const top = editor?.getScrollTop() ?? 0;
  change();
  if (isAtEnd) editor?.revealLine(lineCount());
  else editor?.setScrollTop(top);
}
