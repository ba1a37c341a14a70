import type { ColumnReader, ColumnWriter } from './byte-columns.ts';

export type Value = number | string | boolean;

/** Most digits behind the point for which a column is kept as whole numbers. */
const MOST_DECIMALS = 9;
/** The difference of two of them, doubled, still is exact. */
const LARGEST_WHOLE = 2 ** 50;

const JSON_TEXT = 255;
const DOUBLES = 254;
const DOUBLE_BYTES = 8;

/**
 * Values in the first of these forms that gives back exactly what came in: numbers with few decimals as differences of whole
 * numbers; any numbers as their bytes, all first ones before all second ones, because neighbours share their first ones; the
 * rest (texts, truth values) as JSON.
 */
export function writeValues(writer: ColumnWriter, values: readonly Value[]): void {
  if (!values.every((value) => typeof value === 'number')) {
    writer.byte(JSON_TEXT);
    writer.piece(Buffer.from(JSON.stringify(values)));
    return;
  }
  const decimals = decimalsOf(values);
  if (decimals === undefined) {
    writer.byte(DOUBLES);
    writer.raw(inPlanes(values));
    return;
  }
  writer.byte(decimals);
  const scale = 10 ** decimals;
  let before = 0;
  for (const value of values) {
    const whole = Math.round(value * scale);
    writer.signed(whole - before);
    before = whole;
  }
}

export function readValues(reader: ColumnReader, count: number): Value[] {
  const form = reader.byte();
  if (form === JSON_TEXT) return JSON.parse(Buffer.from(reader.piece()).toString()) as Value[];
  if (form === DOUBLES) return fromPlanes(reader.raw(count * DOUBLE_BYTES), count);
  if (form > MOST_DECIMALS) throw new RangeError(`no form of values has the number ${form}`);
  const scale = 10 ** form;
  const values: number[] = [];
  let whole = 0;
  for (let index = 0; index < count; index += 1) {
    whole += reader.signed();
    values.push(whole / scale);
  }
  return values;
}

/** The fewest digits behind the point that give back every value exactly. */
function decimalsOf(values: readonly number[]): number | undefined {
  let decimals = 0;
  for (const value of values) {
    while (!isExact(value, 10 ** decimals)) {
      decimals += 1;
      if (decimals > MOST_DECIMALS) return undefined;
    }
  }
  // What is exact with few digits need not be so with more of them.
  return values.every((value) => isExact(value, 10 ** decimals)) ? decimals : undefined;
}

function isExact(value: number, scale: number): boolean {
  // Minus zero is not the same, and no whole number here.
  const whole = Math.round(value * scale) + 0;
  return Math.abs(whole) < LARGEST_WHOLE && Object.is(whole / scale, value);
}

function inPlanes(values: readonly number[]): Buffer {
  const doubles = Buffer.from(Float64Array.from(values).buffer);
  const planes = Buffer.allocUnsafe(doubles.length);
  for (let index = 0; index < doubles.length; index += 1) {
    const plane = index % DOUBLE_BYTES;
    planes[plane * values.length + (index - plane) / DOUBLE_BYTES] = doubles[index] ?? 0;
  }
  return planes;
}

function fromPlanes(planes: Uint8Array, count: number): number[] {
  const doubles = new Uint8Array(count * DOUBLE_BYTES);
  for (let plane = 0; plane < DOUBLE_BYTES; plane += 1) {
    for (let index = 0; index < count; index += 1) {
      doubles[index * DOUBLE_BYTES + plane] = planes[plane * count + index] ?? 0;
    }
  }
  return [...new Float64Array(doubles.buffer)];
}
