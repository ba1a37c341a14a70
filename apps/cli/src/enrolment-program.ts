import { Option, type Command } from 'commander';
import type { Context } from './commands/context.ts';
import { enroll, identity, reset, type EnrollOptions, type ResetOptions } from './commands/enrolment.ts';

/** `bowline identity|enroll|reset`: who this device is. */
export function addEnrolment(
  root: Command,
  { contextOf, json }: { contextOf: (command: Command) => Context; json: () => Option },
): void {
  root
    .command('identity')
    .description("the device's public key, for a server that is to know it beforehand")
    .addOption(json())
    .action((_, command: Command) => identity(contextOf(command)));
  root
    .command('enroll')
    .description('makes the device known to a server, for the first time or anew; what is queued stays')
    .option('--server <url>', 'e.g. https://fleet.example; default: enrolment.server of the gateway')
    .addOption(new Option('--token <token>', 'that the operators gave out').conflicts('tokenFile'))
    .option('--token-file <file>', 'with the token in it; - for standard input')
    .option('--trust-on-first-use', 'believe whatever server answers: recorded, and shown ever after')
    .option('--anchor <file>', 'where the apps read whom to trust; default: trustAnchorFile of cli.json')
    .option('--replace-anchor', 'let that file name another root than it does, or than the factory set')
    .option('--new-key', 'replaces the key of the device')
    .addOption(json())
    .action((options: Partial<EnrollOptions>, command: Command) =>
      enroll(contextOf(command), { trustOnFirstUse: false, newKey: false, replaceAnchor: false, ...options }),
    );
  root
    .command('reset')
    .description('makes the device forget who it is: key, enrolment and everything not delivered')
    .option('--yes', 'without a question')
    .option(
      '--anchor <file>',
      'by which the apps know who the device is; default: trustAnchorFile of cli.json',
    )
    .addOption(json())
    .action((options: Partial<ResetOptions>, command: Command) =>
      reset(contextOf(command), { yes: false, ...options }),
    );
}
