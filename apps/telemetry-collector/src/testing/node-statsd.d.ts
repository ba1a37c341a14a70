/** What the tests use of node-statsd, which has no types. */
declare module 'node-statsd' {
  export default class StatsD {
    constructor(options: { host: string; port: number });
    increment(name: string, by?: number, tags?: string[]): void;
    gauge(name: string, value: number): void;
    timing(name: string, ms: number): void;
    unique(name: string, value: string): void;
    close(): void;
  }
}
