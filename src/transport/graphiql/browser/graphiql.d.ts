import type { DocumentNode } from 'graphql';

/** The part of GraphiQL, as Yoga bundles it, that the page uses. */

export interface GraphQLRequest {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
}

export interface GraphQLResult {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly { readonly message: string }[] | undefined;
}

/** HTTP headers by name, as entered in the Headers pane. */
export type Headers = Record<string, string>;

export interface FetcherOptions {
  headers?: Headers;
  /** The parsed document of the editor, with all its operations. */
  documentAST?: DocumentNode;
}

export interface Observer {
  /** GraphiQL displays any object as JSON. */
  next(result: object): void;
  /** GraphiQL displays the argument as JSON. */
  error(cause: unknown): void;
  complete(): void;
}

export interface Observable {
  subscribe(observer: Observer): { unsubscribe(): void };
}

export type Fetcher = (
  request: GraphQLRequest,
  options?: FetcherOptions,
) => Promise<GraphQLResult> | Observable;

export interface Tab {
  query: string;
  variables?: string | null;
}

export interface GraphiQLProps {
  title: string;
  /** HTML. */
  logo: string;
  fetcher: Fetcher;
  defaultTabs: readonly Tab[];
  query: string | undefined;
  variables: string | undefined;
  onEditHeaders(text: string): void;
  onEditQuery(text: string): void;
  storage: Storage;
  shouldPersistHeaders: boolean;
  /** The pane below the editor that is open at the start; false if none is. */
  defaultEditorToolsVisibility: 'headers' | 'variables' | false;
  onTabChange(state: { readonly tabs: readonly Tab[]; readonly activeTabIndex: number }): void;
}

/** The part of Monaco's editor that the page uses. */
interface Editor {
  getModel(): { readonly uri: { readonly path: string }; getLineCount(): number } | null;
  getVisibleRanges(): readonly { readonly endLineNumber: number }[];
  getScrollTop(): number;
  setScrollTop(top: number): void;
  revealLine(line: number): void;
  updateOptions(options: object): void;
}

declare global {
  /** graphiql.js, a classic script, defines it before the page's module runs. */
  const YogaGraphiQL: {
    renderYogaGraphiQL(root: Element, props: GraphiQLProps): void;
  };

  /** Monaco, which defines it if `globalAPI` is set. */
  const monaco: {
    editor: {
      getEditors(): readonly Editor[];
      onDidCreateEditor(listener: (editor: Editor) => void): void;
    };
  };

  interface Window {
    MonacoEnvironment?: {
      globalAPI: boolean;
      getWorkerUrl(moduleId: string, label: string): string;
    };
  }
}
