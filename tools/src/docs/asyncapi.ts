/** `npm run docs:asyncapi`: writes docs/asyncapi.json from the schemas. A test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import { asyncapiDocument } from './asyncapi-document.ts';

export const ASYNCAPI_FILE = join(WORKSPACE, 'docs/asyncapi.json');
export const asyncapiText = () => `${JSON.stringify(asyncapiDocument(), null, 2)}\n`;

if (import.meta.main) writeFileSync(ASYNCAPI_FILE, asyncapiText());
