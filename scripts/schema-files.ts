import {
  type GraphQLSchema,
  introspectionFromSchema,
  isAbstractType,
  isIntrospectionType,
  isObjectType,
  printSchema,
} from 'graphql';

/** The files of `schema/` that are generated from the code, by name. */
export function schemaFiles(schema: GraphQLSchema): Readonly<Record<string, string>> {
  return {
    'schema.graphql': `${printSchema(schema)}\n`,
    'possible-types.json': json(possibleTypes(schema)),
    // Frontends bundle it, and caches read no descriptions.
    'introspection.json': json(introspectionFromSchema(schema, { descriptions: false })),
  };
}

/** The object types of each union and interface, as `possibleTypes` of Apollo's `InMemoryCache`. */
export function possibleTypes(schema: GraphQLSchema): Record<string, string[]> {
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  return Object.fromEntries(
    abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
  );
}

/** The object types without an `id`, other than the root types. */
export function embeddedTypes(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !isIntrospectionType(type) && !roots.includes(type))
    .filter((type) => isObjectType(type) && !type.getFields().id)
    .map(({ name }) => name);
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
