/** nearMiss: the known name that a mistyped one probably meant. nearMissHint: the same as a text behind a fault, or none. */

export function nearMiss(name: string, known: Iterable<string>): string | null {
  const wanted = fold(name);
  let best: string | null = null;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = editDistance(wanted, fold(candidate), bestDistance);
    // Two of three letters changed is another word, not a slip.
    if (distance < bestDistance && distance * 3 <= candidate.length) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

export function nearMissHint(name: string, known: Iterable<string>): string {
  const meant = nearMiss(name, known);
  return meant === null ? '' : ` (did you mean ${meant}?)`;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}

/** `limit` where it is that or more. Names of a large mesh have long beginnings and ends in common: only what is between is looked at. */
function editDistance(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start++;
  let end = 0;
  const most = Math.min(one.length, other.length) - start;
  while (end < most && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  const [a, b] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(swap, previous[j]! + 1, current[j - 1]! + 1));
    }
    if (Math.min(...current) >= limit) return limit;
    previous = current;
  }
  return previous[b.length]!;
}
