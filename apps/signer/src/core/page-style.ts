/** How the pages of the signer look. */
export const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif;
  --ground: #f3f5f8; --surface: #fff; --ink: #16202c; --quiet: #5a6878; --line: #d9dfe6; --accent: #0b5cad; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0e131a; --surface: #161d26; --ink: #e4eaf1; --quiet: #95a3b3; --line: #2b3643; --accent: #3d86d1; --bad: #ff8377; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px 12px; background: var(--ground); color: var(--ink); }
main { max-width: 560px; margin: 0 auto; padding: 20px 24px; background: var(--surface); border: 1px solid var(--line); border-radius: 6px; }
h1 { margin: 0 0 4px; font-size: 20px; }
p { margin: 8px 0; } .quiet { color: var(--quiet); font-size: 13px; }
form { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin-top: 16px; }
@media (max-width: 480px) { form { grid-template-columns: 1fr; } }
label, fieldset, .whole { display: block; } .wide, fieldset, .whole { grid-column: 1 / -1; }
label > span { display: block; font-size: 13px; color: var(--quiet); }
input:not([type=checkbox]) { width: 100%; padding: 7px 9px; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 4px; }
fieldset { margin: 0; padding: 8px 12px; border: 1px solid var(--line); border-radius: 4px; }
legend { padding: 0 4px; font-size: 13px; color: var(--quiet); }
fieldset label { padding: 2px 0; }
button { padding: 9px 18px; font: inherit; font-weight: 600; color: #fff; background: var(--accent); border: 0; border-radius: 4px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 16px 0; } dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 4px 0 12px; padding: 10px 12px; overflow-x: auto; background: var(--ground); border-radius: 4px; font: 14px/1.4 ui-monospace, monospace; user-select: all; }
.problem { padding: 8px 12px; color: var(--bad); border: 1px solid currentColor; border-radius: 4px; }
`;
