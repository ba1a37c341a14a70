import { scrub } from './scrub.ts';

await scrub(process.argv.slice(2));
