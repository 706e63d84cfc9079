// What is wrong with the page that is shown, as sentences.

// WCAG 2.2: 1.4.3 text, 1.4.11 the edge of what has the focus, 2.5.5 targets.
const TEXT_CONTRAST = 4.5;
const EDGE_CONTRAST = 3;
const TARGET_PX = 44;

const LIVE = "[role=status], [role=alert], [aria-live]:not([aria-live=off]), output";

function faults(width, scheme, touched) {
  const found = [...schemeFaults(scheme), ...widthFaults(width), ...textFaults()];
  return touched ? [...found, ...targetFaults()] : found;
}

function schemeFaults(scheme) {
  return matchMedia(`(prefers-color-scheme: ${scheme})`).matches ? [] : [`the page was not asked for ${scheme} colours`];
}

function widthFaults(width) {
  const root = document.scrollingElement;
  const found = root.scrollWidth > width ? [`the page is ${root.scrollWidth} px wide, the screen ${width}`] : [];
  const scrolled = visible("*").filter((element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX));
  const wide = scrolled.filter((element) => element.scrollWidth > element.clientWidth);
  return [...found, ...wide.map((element) => `${name(element)} scrolls sideways`)];
}

function textFaults() {
  const texts = visible("body *").filter((element) => [...element.childNodes].some(isText));
  return texts.flatMap((element) => {
    const ratio = contrast(colour(getComputedStyle(element).color), backgroundOf(element));
    return ratio < TEXT_CONTRAST ? [`${name(element)} has a contrast of ${ratio.toFixed(2)}`] : [];
  });
}

function targetFaults() {
  const small = visible("button, a[href]").filter((element) => element.getBoundingClientRect().height < TARGET_PX);
  return small.map((element) => `${name(element)} is ${element.getBoundingClientRect().height} px high`);
}

// What hides the focus from somebody who looks for it.
function focusFaults() {
  const focused = document.activeElement;
  if (focused === document.body) return ["nothing has the focus"];
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(focused);
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) return [`${name(focused)} has the focus and no outline`];
  const found = [];
  const ratio = contrast(colour(outlineColor), backgroundOf(focused.parentElement));
  if (ratio < EDGE_CONTRAST) found.push(`the outline of ${name(focused)} has a contrast of ${ratio.toFixed(2)}`);
  const { left, top, width, height } = focused.getBoundingClientRect();
  const onTop = document.elementFromPoint(left + width / 2, top + height / 2);
  if (!focused.contains(onTop)) found.push(`${name(focused)} has the focus and lies under ${onTop ? name(onTop) : "the edge"}`);
  return found;
}

// Keeps what a screen reader would say in `heard`: new text of live regions that were there before it.
function listen() {
  const regions = () => new Set(visible(LIVE));
  let known = regions();
  window.heard = [];
  new MutationObserver((changes) => {
    const changed = new Set(changes.map(({ target }) => (target.closest ? target : target.parentElement).closest(LIVE)));
    for (const region of changed) {
      if (known.has(region) && region.textContent) window.heard.push(region.textContent);
    }
    known = regions();
  }).observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
}

function visible(selector) {
  return [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility({ visibilityProperty: true }));
}

const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";
const name = (element) => `<${element.localName} id="${element.id}">${element.textContent.trim().slice(0, 40)}`;

// [red, green, blue, opacity] of a computed colour.
function colour(text) {
  const [red, green, blue, opacity = 1] = text.match(/[\d.]+/g).map(Number);
  return [red, green, blue, opacity];
}

function over(front, back) {
  return [...[0, 1, 2].map((part) => front[part] * front[3] + back[part] * (1 - front[3])), 1];
}

function backgroundOf(element) {
  if (!element) return [255, 255, 255, 1];
  const own = colour(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own : over(own, backgroundOf(element.parentElement));
}

function luminance(rgb) {
  const [red, green, blue] = rgb.slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(front, back) {
  const [dark, light] = [luminance(over(front, back)), luminance(back)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}
