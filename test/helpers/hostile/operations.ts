import { readdirSync, readFileSync } from 'node:fs';
import {
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  parse,
  print,
  separateOperations,
  typeFromAST,
} from 'graphql';
import { schema } from '../../../src/graphql/schema/index.js';
import type { Dice } from '../random.js';
import { anyJson } from './json.js';

/** What input refers to, so that some of it is valid. */
export interface Targets {
  /** The access token of an ordinary user. */
  readonly token: string;
  /** A room of which the user is a member. */
  readonly roomId: string;
  /** A position in that room, with messages after it. */
  readonly cursor: string;
}

/** An operation as clients send it. */
export interface Operation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface Template {
  readonly query: string;
  readonly variables: readonly { readonly name: string; readonly type: GraphQLInputType }[];
}

/** Operations that hash a password: a few of them keep a core busy for a second. */
const DEAR = ['Login', 'SignUp'];
const DEAR_PROBABILITY = 0.01;
/** How often a value, at any depth of the variables, is replaced by JSON of another kind. */
const REPLACED_PROBABILITY = 0.12;

const templates = documentedOperations();
const cheap = templates.filter(([name]) => !DEAR.includes(name)).map(([, template]) => template);
const dear = templates.filter(([name]) => DEAR.includes(name)).map(([, template]) => template);

/** One of the documented operations, with variables that are valid, or somewhere of another kind than declared. */
export function anyOperation(dice: Dice, targets: Targets): Operation {
  const { query, variables } = dice.pickOf(dice.chance(DEAR_PROBABILITY) ? dear : cheap);
  const values = variables.map(({ name, type }) => [name, valueFor(dice, type, name, targets)]);
  return { query, variables: Object.fromEntries(values) };
}

function valueFor(dice: Dice, type: GraphQLInputType, name: string, targets: Targets): unknown {
  if (dice.chance(REPLACED_PROBABILITY)) return anyJson(dice);
  if (isNonNullType(type)) return valueFor(dice, type.ofType, name, targets);
  if (isListType(type)) return [valueFor(dice, type.ofType, name, targets)];
  if (isEnumType(type)) return dice.pickOf(type.getValues()).name;
  if (!isInputObjectType(type)) return scalarOf(dice, name, targets);
  const given = Object.values(type.getFields()).filter(
    (field) => isNonNullType(field.type) || dice.chance(0.5),
  );
  return Object.fromEntries(
    given.map((field) => [field.name, valueFor(dice, field.type, field.name, targets)]),
  );
}

function scalarOf(dice: Dice, name: string, { roomId, cursor }: Targets): unknown {
  if (name === 'roomId') return roomId;
  if (name === 'first') return dice.below(5);
  if (name === 'after') return dice.chance(0.7) ? cursor : null;
  // Usually null: a page has one direction.
  if (name === 'last' || name === 'before') return dice.chance(0.9) ? null : dice.below(5);
  return `hostile ${name} ${dice.below(1000)}`;
}

/** The operations of `schema/operations` by their names, each with the fragments that it uses. */
function documentedOperations(): [string, Template][] {
  const folder = new URL('../../../schema/operations/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.graphql'));
  const all = parse(files.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n'));
  return Object.entries(separateOperations(all)).map(([name, document]) => {
    const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    const declared =
      operation?.kind === Kind.OPERATION_DEFINITION ? (operation.variableDefinitions ?? []) : [];
    const variables = declared.map(({ variable, type }) => ({
      name: variable.name.value,
      // A test validates the documented operations, so their variables have input types.
      type: typeFromAST(schema, type) as GraphQLInputType,
    }));
    return [name, { query: print(document), variables }];
  });
}
