const CELLS = 24;

/** `[######------------------]  25 %` */
export function progressBar(percent: number): string {
  const full = Math.round((Math.min(100, Math.max(0, percent)) / 100) * CELLS);
  return `[${'#'.repeat(full)}${'-'.repeat(CELLS - full)}] ${String(Math.round(percent)).padStart(3)} %`;
}
