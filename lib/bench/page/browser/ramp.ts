/**
 * Colours for figures from low to high: lightness rises evenly from a dark blue over green to a light yellow, so that
 * they keep their order in grey and for every kind of colour blindness. Sampled in OKLCH, in 256 steps.
 */

type Triple = readonly [number, number, number];

/** Linear sRGB of a colour in OKLCH; outside 0 to 1 where a screen can't show it (Ottosson, "A perceptual color space"). */
function linear(lightness: number, chroma: number, hue: number): Triple {
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

const encoded = (value: number): number => Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));

const isShown = (colour: Triple): boolean => colour.every((value) => value >= 0 && value <= 1);

/** A colour, paler where a screen can't show it as strong. */
function shown(lightness: number, hue: number, chroma: number): Triple {
  let [low, high] = [0, chroma];
  if (isShown(linear(lightness, high, hue))) low = high;
  for (let step = 0; step < 16; step += 1) {
    const middle = (low + high) / 2;
    if (isShown(linear(lightness, middle, hue))) low = middle;
    else high = middle;
  }
  return linear(lightness, low, hue).map((value) => encoded(Math.min(Math.max(value, 0), 1))) as unknown as Triple;
}

const steps = 256;
const lightness = { from: 0.32, to: 0.94 } as const;
const hue = { from: 285, to: 102 } as const;

/** Red, green and blue, 0 to 255. */
export const ramp: readonly Triple[] = Array.from({ length: steps }, (_, step) => {
  const part = step / (steps - 1);
  return shown(
    lightness.from + (lightness.to - lightness.from) * part,
    hue.from + (hue.to - hue.from) * part,
    0.092 + 0.2 * (part - 0.37) ** 2,
  );
});

/** The colour of a part from 0 to 1; beyond it, of the end. */
export const rampAt = (part: number): Triple => ramp[Math.round(Math.min(Math.max(part, 0), 1) * (steps - 1))] as Triple;

/** Whether text on it is to be dark. */
export const isLight = ([red, green, blue]: Triple): boolean => red * 0.299 + green * 0.587 + blue * 0.114 > 135;
