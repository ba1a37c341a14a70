import { describe, expect, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { givenValue } from './given-values.ts';

describe('givenValue', () => {
  test.each([
    ['temperature=21.5', 'temperature', 21.5],
    ['offset=-.5e-3', 'offset', -0.0005],
    ['door=open', 'door', 'open'],
    ['pump=true', 'pump', true],
    ['code="007"', 'code', '007'],
    ['code=0x10', 'code', '0x10'],
    ['formula=a=b', 'formula', 'a=b'],
    ['huge=1e999', 'huge', '1e999'],
  ])('when %s is given, name and value are told apart', (text, name, value) => {
    expect(givenValue(text)).toEqual({ name, value });
  });

  test.each(['temperature', '=5', 'temperature='])('when %j is given, it says what to write', (text) => {
    expect(() => givenValue(text)).toThrow(CliError);
  });
});
