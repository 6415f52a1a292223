// Writes docs/states.md: the state tables as diagrams. `npm run build` first; test/docs-states.test.ts compares.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @typedef {{from: string, input: string, to: string}} Arrow */

/** Arrows of a table state -> input -> state; null and undefined are refused, and no arrow. */
function arrowsOf(table) {
  return Object.entries(table).flatMap(([from, inputs]) =>
    Object.entries(inputs)
      .filter(([, to]) => to !== null && to !== undefined)
      .map(([input, to]) => ({ from, input, to })),
  );
}

/** Arrows of a link: what its owner does, and what frames bring about. */
function linkArrows({ COMMANDS, REACTIONS, LEADS_TO }) {
  const frames = Object.entries(REACTIONS).flatMap(([from, row]) =>
    Object.entries(row).map(([frame, reaction]) => ({ from, input: frame, to: LEADS_TO[reaction] ?? from })),
  );
  return [...arrowsOf(COMMANDS), ...frames];
}

/** A Mermaid diagram; what leads from a state to itself is left out, inputs between the same two states share an arrow. */
function diagram(first, arrows) {
  const labels = new Map();
  for (const { from, input, to } of arrows) {
    if (from === to) continue;
    const key = `${from} --> ${to}`;
    labels.set(key, [...(labels.get(key) ?? []), input]);
  }
  const lines = [...labels].map(([key, inputs]) => `  ${key}: ${[...new Set(inputs)].join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', `  [*] --> ${first}`, ...lines, '```'].join('\n');
}

/** The document, from the tables of the modules. */
export function renderStates({ TRANSITIONS, link, SIGN_ON_TRANSITIONS, CONNECTION_TRANSITIONS }) {
  return `# States

Written by \`node scripts/state-diagrams.mjs\` from the tables in the code; do not edit. What leads from a state to itself is left out.

## Association

The client's application association, \`src/dlms/association/states.ts\`.

${diagram('closed', arrowsOf(TRANSITIONS))}

## HDLC link

The client's end, \`src/dlms/hdlc/client-states.ts\`: what its owner does (\`connect\`, \`send\`, ...) and the frames that come. DM or FRMR to the first SNRM is answered by one without parameters before the link is given up.

${diagram('disconnected', linkArrows(link))}

## Sign-on in mode E

\`src/dlms/mode-e/sign-on-states.ts\`.

${diagram('idle', arrowsOf(SIGN_ON_TRANSITIONS))}

## Meters and lines

As \`status\` shows them, \`src/line/states.ts\`.

${diagram('disconnected', arrowsOf(CONNECTION_TRANSITIONS))}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = new URL('../dist/dlms/', import.meta.url);
  const { TRANSITIONS } = await import(new URL('association/states.js', dist));
  const link = await import(new URL('hdlc/client-states.js', dist));
  const { SIGN_ON_TRANSITIONS } = await import(new URL('mode-e/sign-on-states.js', dist));
  const { CONNECTION_TRANSITIONS } = await import(new URL('../line/states.js', dist));
  writeFileSync(
    new URL('../docs/states.md', import.meta.url),
    renderStates({ TRANSITIONS, link, SIGN_ON_TRANSITIONS, CONNECTION_TRANSITIONS }),
  );
}
