import {
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** The key in a field's `extensions`; see `dependsOnViewer`. */
const EXTENSION_KEY = 'dependsOnViewer';

/** `extensions` of a field whose value depends on the viewer: events that select it are executed once per viewer. */
export const dependsOnViewer = { [EXTENSION_KEY]: true } as const;

/** Which inputs of a subscription its results depend on. */
interface Sharing {
  /** The variables that are used anywhere except as the root field's `after`, which only sets where to start. */
  readonly variables: readonly string[];
  /** Whether a selected field depends on the viewer. */
  readonly dependsOnViewer: boolean;
}

/** By document and operation name. Documents are cached, so each is analyzed once. */
const analyses = new WeakMap<DocumentNode, Map<string, Sharing>>();

export interface Operation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
  readonly viewerId: string;
}

/**
 * Returns a key that is equal for subscriptions to one room that get equal results: it consists of the document, the
 * operation, the variables, and the viewer if the results depend on it. An absent variable differs from `null`.
 */
export function sharingOf({ schema, document, query, operationName, variables, viewerId }: Operation): {
  readonly key: string;
  readonly dependsOnViewer: boolean;
} {
  const sharing = analysisOf(schema, document, operationName ?? '');
  const given = sharing.variables.flatMap((name) =>
    variables && Object.hasOwn(variables, name) ? [[name, variables[name]]] : [],
  );
  const viewer = sharing.dependsOnViewer ? viewerId : null;
  return {
    key: JSON.stringify([query, operationName ?? null, given, viewer]),
    dependsOnViewer: sharing.dependsOnViewer,
  };
}

function analysisOf(schema: GraphQLSchema, document: DocumentNode, operationName: string): Sharing {
  let operations = analyses.get(document);
  if (!operations) {
    operations = new Map();
    analyses.set(document, operations);
  }
  let sharing = operations.get(operationName);
  if (!sharing) {
    sharing = analyze(schema, document, operationName);
    operations.set(operationName, sharing);
  }
  return sharing;
}

/** Analyzes the whole document, including other operations and unused fragments: at worst, fewer groups are shared. */
function analyze(schema: GraphQLSchema, document: DocumentNode, operationName: string): Sharing {
  const variables = new Set<string>();
  let isViewerDependent = false;
  const roots = rootFields(document, operationName);
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      VariableDefinition: () => false,
      Field() {
        if (types.getFieldDef()?.extensions[EXTENSION_KEY] === true) isViewerDependent = true;
      },
      Argument(node, _key, _parent, _path, ancestors) {
        // The parent is the list of arguments; the last ancestor is the field.
        const field = ancestors.at(-1);
        if (node.name.value === 'after' && roots.has(field as FieldNode)) return false;
        return undefined;
      },
      Variable(node) {
        variables.add(node.name.value);
      },
    }),
  );
  return { variables: [...variables].sort(), dependsOnViewer: isViewerDependent };
}

/** The root fields selected directly by the operation. Those in fragments are ignored: at worst, fewer groups are shared. */
function rootFields(document: DocumentNode, operationName: string): Set<FieldNode> {
  const operations = document.definitions.filter(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  );
  const operation = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  return new Set(operation?.selectionSet.selections.filter((each) => each.kind === Kind.FIELD));
}
