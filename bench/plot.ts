// The ratios to the baseline as a picture: one line per workload, a dot at the median, a bar from the worst pair to the best,
// a tick at the target.

import type { Measured } from "./measure.ts";

const ROW = 26;
const LEFT = 400;
const WIDTH = 420;
const TOP = 44;
const HIGHEST = 1.2;

export function plot(workloads: Measured[], title: string): string {
  const height = TOP + workloads.length * ROW + 36;
  const grid = [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2].map((ratio) => {
    const color = ratio === 1 ? "#555" : "#ddd";
    const line = `<line x1="${x(ratio)}" y1="${TOP}" x2="${x(ratio)}" y2="${height - 36}" stroke="${color}"/>`;
    return `${line}<text x="${x(ratio)}" y="${height - 18}" text-anchor="middle">${ratio}</text>`;
  });
  const rows = workloads.map(({ name, ratio, target }, index) => {
    const y = TOP + index * ROW + ROW / 2;
    const missed = target !== null && ratio.median < target;
    const color = missed ? "#c0392b" : "#1f6f54";
    const tick =
      target === null
        ? ""
        : `<line x1="${x(target)}" y1="${y - 8}" x2="${x(target)}" y2="${y + 8}" stroke="#b8860b" stroke-width="2"/>`;
    return [
      `<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${escaped(name)}</text>`,
      `<line x1="${x(ratio.min)}" y1="${y}" x2="${x(ratio.max)}" y2="${y}" stroke="${color}" stroke-width="2"/>`,
      `<circle cx="${x(ratio.median)}" cy="${y}" r="4.5" fill="${color}"/>`,
      `<text x="${LEFT + WIDTH + 12}" y="${y + 4}">${ratio.median.toFixed(2)}</text>`,
      tick,
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 60}" height="${height}"`,
    ' font-family="system-ui, sans-serif" font-size="12">',
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="12" y="24" font-size="14">${escaped(title)}</text>`,
    ...grid,
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

function x(ratio: number): number {
  return Math.round(LEFT + (Math.min(ratio, HIGHEST) / HIGHEST) * WIDTH);
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
