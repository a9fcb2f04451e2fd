/** One bar of the chart. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly highlighted: boolean;
}

export interface ChartText {
  readonly title: string;
  readonly subtitle: string;
  readonly unit: string;
}

const WIDTH = 760;
const LABELS = 300;
const VALUES = 90;
const BAR = 22;
const STEP = 32;
const TOP = 64;

/** Draws horizontal bars, the shortest first, as an SVG for light and dark pages. */
export function barChart(bars: readonly Bar[], { title, subtitle, unit }: ChartText): string {
  const sorted = [...bars].sort((a, b) => a.value - b.value);
  const longest = Math.max(...sorted.map(({ value }) => value));
  const height = TOP + sorted.length * STEP + 8;
  const rows = sorted.map(({ label, value, highlighted }, index) => {
    const y = TOP + index * STEP;
    const width = Math.max(1, ((WIDTH - LABELS - VALUES) * value) / longest).toFixed(1);
    return `  <text x="${LABELS - 10}" y="${y + 16}" text-anchor="end"${highlighted ? ' font-weight="700"' : ''}>${escapeXml(label)}</text>
  <rect x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="3" class="${highlighted ? 'ours' : 'other'}"/>
  <text x="${(LABELS + Number(width) + 8).toFixed(1)}" y="${y + 16}">${value.toFixed(1)} ${escapeXml(unit)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">
  <style>
    text { font: 14px system-ui, sans-serif; fill: #24292f; }
    .title { font-size: 17px; font-weight: 600; }
    .subtitle { font-size: 11px; fill: #57606a; }
    .ours { fill: #1a7f37; }
    .other { fill: #8c959f; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .subtitle { fill: #8d96a0; }
      .ours { fill: #3fb950; }
      .other { fill: #6e7681; }
    }
  </style>
  <text x="0" y="20" class="title">${escapeXml(title)}</text>
  <text x="0" y="42" class="subtitle">${escapeXml(subtitle)}</text>
${rows.join('\n')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
