/**
 * Ends with 0 if the server of a link answers: `reaches-server wss://HOST/… STATE_DIR`, through the proxy of the link that is kept
 * there, if there is one. A program of its own, so that the slot before can
 * be asked while the new one is on trial.
 */
import { keptLinkProxy } from '@bowline/device-app/kept-link-proxy';
import { serverAnswers } from './adapters/outside-probe.ts';

const [, , link = '', stateDir] = process.argv;
const way = stateDir === undefined ? undefined : keptLinkProxy(stateDir);
process.exitCode = (await serverAnswers(link, new AbortController().signal, way)) ? 0 : 1;
