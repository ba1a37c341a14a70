import { scrub } from './store/scrub.ts';

/** The child process that checks the store before it is opened: an entry of its own in the bundle. */
await scrub(process.argv.slice(2));
