/**
 * `ssh-proxy FILE`, started by ssh once for each connection: a program of its own, since all of `bowline` takes three times as
 * long to load.
 */
import { sshProxy } from './commands/ssh-proxy.ts';

process.exitCode = await sshProxy(process.argv[2] ?? '');
