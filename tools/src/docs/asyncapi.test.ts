import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { DOWNLINK, UPLINK } from '@bowline/messages/catalogue';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';
import { asyncapiDocument } from './asyncapi-document.ts';
import { ASYNCAPI_FILE, asyncapiText } from './asyncapi.ts';

interface Vector {
  name: string;
  frame?: unknown;
  valid: boolean;
  code?: string;
}
interface Document {
  channels: Record<string, { messages: Record<string, unknown> }>;
  operations: Record<string, { messages: { $ref: string }[] }>;
  components: { schemas: object; messages: Record<string, { name: string; payload: object }> };
}

const document = asyncapiDocument() as unknown as Document;

/** The official schema of AsyncAPI 3.0 documents. */
function officialValidator() {
  const file = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json');
  // The file brings draft 07's own schema along, under the name that ajv has given to its copy.
  const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false });
  return ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as object);
}

/** What follows a JSON pointer; throws where it leads nowhere. */
function resolve(pointer: string): unknown {
  return pointer
    .slice('#/'.length)
    .split('/')
    .reduce<unknown>((node, key) => {
      if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key))
        throw new Error(`no ${pointer}`);
      return (node as Record<string, unknown>)[key];
    }, document);
}

test('when the schemas have changed, docs/asyncapi.json was generated anew (npm run docs:asyncapi)', () => {
  expect(readFileSync(ASYNCAPI_FILE, 'utf8') === asyncapiText()).toBe(true);
});

test('when the document is validated by the official schema, it is AsyncAPI 3', () => {
  const validate = officialValidator();
  validate(document);
  expect(validate.errors).toBeNull();
});

test('when a document breaks the rules of AsyncAPI 3, the official schema says so', () => {
  const validate = officialValidator();
  expect(validate({ ...document, operations: { bad: { action: 'shout' } } })).toBe(false);
});

test('when the document refers to a part of itself, that part is there', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, pointer]) => pointer ?? '',
  );
  expect(references.length).toBeGreaterThan(50);
  for (const pointer of references) expect(resolve(pointer)).toBeTypeOf('object');
});

test('when the operations are listed, they name every type of the contract', () => {
  const namesOf = (operation: string) =>
    document.operations[operation]?.messages.map(
      ({ $ref }) => (resolve((resolve($ref) as { $ref: string }).$ref) as { name: string }).name,
    );
  expect(namesOf('sendUplink')).toEqual([...Object.keys(UPLINK), 'batch']);
  expect(namesOf('receiveDownlink')).toEqual(Object.keys(DOWNLINK));
});

test.each([
  ['uplink', 'up'],
  ['downlink', 'down'],
])(
  'when the %s vectors are checked against the document, it accepts the good and refuses the bad',
  (file, prefix) => {
    const ajv = new Ajv({ strict: false });
    ajv.addSchema({ $id: 'doc', ...document });
    const accepts = Object.keys(document.components.messages)
      .filter((name) => name.startsWith(prefix))
      .map((name) => ajv.compile({ $ref: `doc#/components/messages/${name}/payload` }));

    const text = readFileSync(join(WORKSPACE, `libs/messages/vectors/${file}.json`), 'utf8');
    const vectors = (JSON.parse(text) as Vector[]).filter(({ frame }) => frame !== undefined);
    expect(vectors.length).toBeGreaterThan(100);
    // What a schema cannot say of a batch (consecutive seqs, the payload of each message) is left to the decoder.
    const wrong = vectors
      .filter(({ name, valid }) => valid || !name.startsWith('batch:'))
      .filter(({ frame, valid }) => accepts.some((validate) => validate(frame)) !== valid);
    expect(wrong.map(({ name }) => name)).toEqual([]);
  },
);
