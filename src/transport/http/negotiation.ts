/**
 * The one of `offers` that an `Accept` or `Accept-Encoding` header likes best, or null where it names none of them; the
 * earlier offer where it likes two the same. Wildcards don't count: nobody asks for a page, or for Brotli, by not minding.
 */
export function preferred<Offer extends string>(
  header: string | undefined,
  offers: readonly Offer[],
): Offer | null {
  const qualities = parseQualities(header ?? '');
  let best: Offer | null = null;
  let bestQuality = 0;
  for (const offer of offers) {
    const quality = qualities.get(offer) ?? 0;
    if (quality <= bestQuality) continue;
    best = offer;
    bestQuality = quality;
  }
  return best;
}

function parseQualities(header: string): Map<string, number> {
  const ranges = header.toLowerCase().split(',');
  return new Map(
    ranges.map((range) => {
      const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
      return [name, qualityOf(parameters)];
    }),
  );
}

/** 1 where no `q` is given (RFC 9110, 12.4.2); what can't be read counts as a refusal. */
function qualityOf(parameters: string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return weight === undefined ? 1 : Number(weight.slice(2)) || 0;
}
