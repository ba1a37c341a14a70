/**
 * Ends with 0 if the server of a link answers: `reaches-server wss://HOST/…`. A program of its own, so that the slot before can
 * be asked while the new one is on trial.
 */
import { serverAnswers } from './adapters/outside-probe.ts';

const [, , link = ''] = process.argv;
process.exitCode = (await serverAnswers(link, new AbortController().signal)) ? 0 : 1;
