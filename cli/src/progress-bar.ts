/** How far work is: `[##########....................]`. */

const WIDTH = 30;

export function drawBar(done: number, all: number): string {
  const share = all > 0 ? Math.min(1, done / all) : 1;
  const filled = Math.round(share * WIDTH);
  return `[${"#".repeat(filled)}${".".repeat(WIDTH - filled)}]`;
}
