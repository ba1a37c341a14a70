import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';

describe('createLogger', () => {
  it('when secrets stand in what is logged, they are redacted and the rest stays, one object a line', () => {
    const lines: string[] = [];
    const log = createLogger({ app: 'x', write: (line) => lines.push(line) });
    log.info(
      { orderId: 'o', token: 's3cret', request: { headers: { authorization: 'Bearer s3cret' } } },
      'hello',
    );
    log.debug('not at this level');
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('s3cret');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      app: 'x',
      level: 'info',
      orderId: 'o',
      message: 'hello',
    });
  });

  it('when a secret is in an error, its cause, the message or a child’s own field, it is redacted there too', () => {
    const lines: string[] = [];
    const log = createLogger({ app: 'x', write: (line) => lines.push(line) });
    const cause = new Error('https://joe:s3cret@host refused');
    log
      .child({ link: { auth: { token: 's3cret' } } })
      .error({ error: new Error('sent Bearer s3cret', { cause }) }, 'token=s3cret was refused');
    expect(lines[0]).not.toContain('s3cret');
    const { error } = JSON.parse(lines[0] ?? '') as { error: { message: string; stack: string } };
    expect(error.message).toContain('sent Bearer [redacted]');
    expect(error.stack).toContain('logger.test.ts');
  });

  it('when its level is changed while it runs, child loggers follow', () => {
    const lines: string[] = [];
    let level: 'info' | 'debug' = 'info';
    const log = createLogger({ app: 'x', level: () => level, write: (line) => lines.push(line) });
    const child = log.child({ peer: 'y' });
    child.debug('too small');
    level = 'debug';
    child.debug('wanted');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 'debug', peer: 'y', message: 'wanted' },
    ]);
  });

  it('when the level is changed, it counts at once for the logger and for its children, older and newer', () => {
    const lines: string[] = [];
    const log = createLogger({ app: 'x', level: 'warn', write: (line) => lines.push(line) });
    const older = log.child({ orderId: 'o' });
    older.info('not yet');
    expect(older.changeLevel?.('debug')).toBe('warn');
    for (const each of [log, older, log.child({})]) each.debug('heard');
    expect(log.changeLevel?.('error')).toBe('debug');
    older.warn('not any more');
    expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
      'heard',
      'heard',
      'heard',
    ]);
  });
});
