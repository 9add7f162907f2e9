/** The messages that are measured, by name. */
export const SAMPLES = ["Small", "Medium", "Large", "Numeric"] as const;
export type SampleName = (typeof SAMPLES)[number];

/** So many different messages take turns, that nothing is learnt by heart. */
export const VARIANTS = 64;

const NAMES = ["tomatoes", "aubergines", "onions", "courgettes", "peppers", "leeks", "beans", "carrots"];

/** A message as plain properties, of which every library makes its own. */
export function sampleOf(name: SampleName, variant: number): Record<string, unknown> {
  switch (name) {
    case "Small":
      return {
        name: `${NAMES[variant % NAMES.length]}-${100 + variant}`,
        number: 1_000 + variant,
        price: 12.5 + variant / 8,
        timeUs: BigInt(1_764_000_000_000_000 + variant),
        change: variant % 2 === 0 ? variant : -variant,
        isLast: true,
      };
    case "Medium":
      return {
        name: `order ${variant}`,
        items: Array.from({ length: 20 }, (_, i) => itemOf(i + variant)),
        counts: Object.fromEntries(NAMES.map((key, i) => [key, i * 100 + variant])),
      };
    case "Large":
      return { number: variant, body: new Uint8Array(1_048_576).fill(variant) };
    case "Numeric":
      return {
        values: Array.from({ length: 10_000 }, (_, i) => i * 1.1 + variant),
        counts: Array.from({ length: 10_000 }, (_, i) => (i * 37 + variant) % 5_000),
      };
  }
}

function itemOf(i: number): Record<string, unknown> {
  return {
    id: `item-${10_000 + i}`,
    title: `${NAMES[i % NAMES.length]} from the garden`,
    place: `shelf ${i % 9}, row ${i % 5}, on the left`,
    count: i,
    weight: i * 0.75,
  };
}
