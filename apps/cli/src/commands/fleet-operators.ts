import type { NewOperatorToken, Operator, Role } from '@bowline/messages';
import type { NewOperatorTokenWish, OperatorsApi } from '../adapters/operators-api.ts';
import { print, printJson, remark, table } from '../adapters/terminal.ts';
import { dayAndTime } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline fleet operators`: who may act, in which role, by which tokens. */
export async function listOperators({ json }: Context, api: OperatorsApi): Promise<void> {
  const operators = await api.operators();
  if (json) return printJson({ operators });
  if (operators.length === 0)
    return print("No operators but admin, whose token is in the server's operator-token.");
  print(
    table(['operator', 'role', 'token', 'label', 'made', 'last used', 'until'], operators.flatMap(rowsOf)),
  );
}

/** `bowline fleet operators add NAME`: the token alone on standard output. */
export async function addOperator(
  { json }: Context,
  api: OperatorsApi,
  name: string,
  wanted: { role: Role } & NewOperatorTokenWish,
): Promise<void> {
  tell(json, await api.createOperator({ name, ...wanted }));
}

/** `bowline fleet operators token NAME`: one more. */
export async function addOperatorToken(
  { json }: Context,
  api: OperatorsApi,
  name: string,
  wanted: NewOperatorTokenWish,
): Promise<void> {
  tell(json, await api.createOperatorToken(name, wanted));
}

/** `bowline fleet operators revoke NAME`: the operator, or one token. */
export async function revokeOperator(
  { json }: Context,
  api: OperatorsApi,
  name: string,
  tokenId: string | undefined,
): Promise<void> {
  await api.revokeOperator(name, tokenId);
  if (json) return printJson({ name, ...(tokenId === undefined ? {} : { tokenId }) });
  if (tokenId === undefined) print(`${name} is out: no token and no session of theirs is good any more.`);
  else print(`Nobody gets in with ${tokenId} any more; ${name} stays.`);
}

function tell(json: boolean, made: NewOperatorToken): void {
  if (json) return printJson(made);
  const { operator, role, token, tokenId, expiresAt } = made;
  print(token);
  const until = expiresAt === undefined ? 'until it is revoked' : `until ${dayAndTime(expiresAt)}`;
  remark(`Good for ${operator}, ${role}, ${until}; it is shown this once (id ${tokenId}).`);
}

function rowsOf({ name, role, tokens }: Operator): string[][] {
  if (tokens.length === 0) return [[name, role, 'none', '', '', '', '']];
  const moment = (at: number | undefined, otherwise: string) =>
    at === undefined ? otherwise : dayAndTime(at);
  return tokens.map(({ tokenId, label, createdAt, lastUsedAt, expiresAt }) => [
    name,
    role,
    tokenId,
    label ?? '',
    dayAndTime(createdAt),
    moment(lastUsedAt, 'never'),
    moment(expiresAt, 'revoked'),
  ]);
}
