/** `npm run docs:model`: writes docs/protocol-model.md from the model. A test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import { checkScenario, checkWithout } from './check.ts';
import type { Outcome } from './explore.ts';
import { PROPERTIES } from './properties.ts';
import { loadRealCode } from './real-code.ts';
import { RULE_NAMES, RULES, type RuleName } from './rules.ts';
import { SCENARIO_NAMES, SCENARIOS, type ScenarioName } from './scenarios.ts';

export const PAGE_FILE = join(WORKSPACE, 'docs/protocol-model.md');

export interface Findings {
  scenarios: Record<ScenarioName, Outcome>;
  rules: Record<RuleName, Outcome>;
}

/** Explores everything, one after the other. */
export async function findAll(): Promise<Findings> {
  const code = await loadRealCode();
  const findings = { scenarios: {}, rules: {} } as Findings;
  for (const name of SCENARIO_NAMES) findings.scenarios[name] = await checkScenario(code, name);
  for (const name of RULE_NAMES) findings.rules[name] = await checkWithout(code, name);
  return findings;
}

const stepsOf = ({ trace }: Pick<Outcome, 'trace'>): string =>
  trace.map((step, index) => `${index + 1}. ${step}`).join('\n');

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const HEAD = `# Which rule of the protocol prevents what

Made by \`npm run docs:model\` from the model in \`tools/src/model\`; a test checks that it is up to date and that every line of
it still comes out. [ADR 0008](adr/0008-model-over-the-real-code.md) says how it is built and what it leaves out.

The model puts a device, a server and the links between them together and tries **every** order in which things can happen,
nearest first. The decisions are not the model's: it calls the gateway's \`resume\`, \`AckTracker\`, \`OutgoingQueue\`,
\`dispatch\` and \`applyReport\`, the executor's \`planCommand\` and \`cancelOutcome\`, and the server's \`openLink\`, \`UplinkIntake\`, \`OrderBook\` and
\`UplinkLog\` and \`LinkRegistry\`. What it does itself is the network, the disks, the processes and their deaths.`;

const LIMITS = `In each, frames on a broken link arrive or are lost one by one, an earlier link may deliver after a later one was
opened, and a process is killed between any two steps. A copy for a later restore is made while nothing is on its way.
\`npm run model -- SCENARIO --faults N\` searches one of them with more faults.

A reject that is lost with its link does not come again, for the next welcome passes its message: then the dead letter of the
server is the only one. And a cancel may end \`failed\` (\`too-late\`) although its order ends \`cancelled\`: when the gateway is killed
while the executor is about to report that it stopped.

Two things no rule can prevent, so the properties do not ask for them. A device that is set back to before an order had
started runs that order again: nothing that it holds says that it ran. And a device that loses its store before the server
was told of a start gets the order again.

Three rules of the protocol are missing below, because this server does more than they ask, and leaving one of them out
breaks nothing here: a restore makes a new \`serverEpoch\`; in a new epoch of its own the device sends \`received\` 0; a link
that has not said hello is closed with the earlier ones. A server that does not number orders anew under an epoch of the
device's own, or does not send them again when acks are missing, needs them.`;

/** A table as Prettier would set it. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** The page, in Markdown. */
export function pageText({ rules }: Pick<Findings, 'rules'>): string {
  const properties = Object.entries(PROPERTIES).map(([name, text]) => `- **${name}**: ${text}`);
  const explored = SCENARIO_NAMES.map(
    (name) => `- **${name}**: ${SCENARIOS[name].about}; at most ${SCENARIOS[name].mostFaults} faults.`,
  );
  const rows = RULE_NAMES.map((name) => {
    const { says, section, breaks } = RULES[name];
    return [`[${name}](#${name})`, String(section), says, breaks];
  });
  const details = RULE_NAMES.map((name) => {
    const { says, section, scenario } = RULES[name];
    const outcome = rules[name];
    const { property, detail } = outcome.violation ?? { property: 'nothing', detail: 'nothing goes wrong' };
    return [
      `### ${name}`,
      `${says} (Section ${section}.)`,
      `Left out, **${property}** fails in _${scenario}_: ${detail}. The shortest way there:`,
      stepsOf({ trace: outcome.trace.map(capital) }),
    ].join('\n\n');
  });
  return `${[
    HEAD,
    '## What holds',
    properties.join('\n'),
    'It holds in every state of these small worlds:',
    explored.join('\n'),
    LIMITS,
    '## What each rule is for',
    'Each rule was left out by itself, and the search run again until the first thing that went wrong.',
    table(['rule', 'section', 'what it says', 'what fails without it'], rows),
    '## The shortest ways to go wrong',
    ...details,
  ].join('\n\n')}\n`;
}

if (import.meta.main) writeFileSync(PAGE_FILE, pageText(await findAll()));
