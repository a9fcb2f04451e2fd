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

/** Marks a field whose value depends on who asks, in its `extensions`: see `dependsOnViewer`. */
const MARK = 'dependsOnViewer';

/** For the `extensions` of a field: operations that select it are executed for each viewer. */
export const dependsOnViewer = { [MARK]: true } as const;

/** What of a subscription tells its answers from those of another one with the same document. */
interface Sharing {
  /** The variables that are used anywhere but as the root field's `after`, which only says where to begin. */
  readonly variables: readonly string[];
  /** Whether a field is selected that depends on who asks. */
  readonly dependsOnViewer: boolean;
}

/** By document and operation: documents are parsed once and kept. */
const known = new WeakMap<DocumentNode, Map<string, Sharing>>();

export interface Operation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
  readonly viewerId: string;
}

/**
 * What subscriptions to one room have in common that are answered alike, whoever asks: the document, the operation, the
 * variables, and the viewer where the answer depends on them. An absent variable is not one that is null.
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
  let operations = known.get(document);
  if (!operations) {
    operations = new Map();
    known.set(document, operations);
  }
  let sharing = operations.get(operationName);
  if (!sharing) {
    sharing = analyse(schema, document, operationName);
    operations.set(operationName, sharing);
  }
  return sharing;
}

/** Takes the whole document, other operations and unused fragments too: at worst less is shared. */
function analyse(schema: GraphQLSchema, document: DocumentNode, operationName: string): Sharing {
  const variables = new Set<string>();
  let isViewerDependent = false;
  const roots = rootFields(document, operationName);
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      VariableDefinition: () => false,
      Field() {
        if (types.getFieldDef()?.extensions[MARK] === true) isViewerDependent = true;
      },
      Argument(node, _key, _parent, _path, ancestors) {
        // The arguments' list, which is the parent, is not among them.
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

/** Those that stand in the operation itself; below a fragment they are not looked for, so less is shared. */
function rootFields(document: DocumentNode, operationName: string): Set<FieldNode> {
  const operations = document.definitions.filter(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  );
  const operation = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  return new Set(operation?.selectionSet.selections.filter((each) => each.kind === Kind.FIELD));
}
