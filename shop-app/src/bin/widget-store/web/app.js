"use strict";
// The page keeps no state of its own but this: what the address says (`?payment=` or `?order=`), what
// the last poll found, and the press that is under way. All else is drawn from them.

const STATUS = { "0": "PENDING", "1": "DISPATCHED", "2": "PAID", "-1": "CANCELLED" };
const PROMPTLY_MS = 500;
const CALMLY_MS = 2500;
const POLL_TIMEOUT_MS = 4000;
// The server waits up to a minute for a workflow; give it that, and a little for the way.
const PRESS_TIMEOUT_MS = 65000;
const SAID_MS = 7000;

const $ = (id) => document.getElementById(id);

let view = viewFromAddress();
let attempt = newKey();
let product = null;
let orders = null;
let connected = null; // null: no answer yet
let press = null; // { name, control } while a button's request is under way
let crashRefused = false;

/* ---- Talking to the server ---- */

class Disconnected extends Error {}

// Answers { status, text }. Throws Disconnected when no answer came, so that nobody knows what happened.
async function request(method, path, timeoutMs, control = new AbortController()) {
  const timer = setTimeout(() => control.abort(), timeoutMs);
  try {
    const response = await fetch(path, { method, signal: control.signal, cache: "no-store" });
    const text = await response.text();
    if ([502, 503, 504].includes(response.status)) throw new Disconnected(text);
    return { status: response.status, ok: response.ok, text };
  } catch (error) {
    throw new Disconnected(error.message);
  } finally {
    clearTimeout(timer);
  }
}

// The server's own sentence, wherever it says one.
function sentence(answer) {
  try {
    return JSON.parse(answer.text).message || answer.text;
  } catch {
    return answer.text || `The server answered ${answer.status}.`;
  }
}

// Asks until it is answered: whatever is sent this way means the same the second time.
async function insist(name, path) {
  for (;;) {
    const control = new AbortController();
    press = { name, control };
    draw();
    try {
      return await request("POST", path, PRESS_TIMEOUT_MS, control);
    } catch (error) {
      if (!(error instanceof Disconnected)) throw error;
      lose();
      await reconnection();
    } finally {
      press = { name, control: null };
    }
  }
}

// One press at a time, and whatever happens the buttons come back.
async function whilePressed(name, work) {
  if (press || !connected) return;
  try {
    await work();
  } finally {
    press = null;
    draw();
    pollSoon();
  }
}

/* ---- Polling ---- */

let timer = 0;
let polling = false;
let lost = 0; // how often the connection was lost
let waiting = []; // resolved by the next poll that succeeds

function reconnection() {
  return new Promise((resolve) => waiting.push(resolve));
}

function inFlight() {
  return connected !== true || press !== null || view.name === "payment"
    || (orders || []).some((order) => STATUS[order.order_status] === "PAID");
}

function pollSoon(delayMs = 0) {
  clearTimeout(timer);
  timer = setTimeout(poll, delayMs);
}

async function poll() {
  if (polling) return;
  polling = true;
  const losses = lost;
  try {
    const answers = await Promise.all([request("GET", "/orders", POLL_TIMEOUT_MS), request("GET", "/product", POLL_TIMEOUT_MS)]);
    if (!answers.every((answer) => answer.ok)) throw new Disconnected("the shop cannot read its shelves");
    [orders, product] = answers.map((answer) => JSON.parse(answer.text));
    // An answer to a question asked before the loss says nothing about now.
    if (losses === lost) find();
  } catch {
    lose();
  }
  polling = false;
  draw();
  pollSoon(inFlight() ? PROMPTLY_MS : CALMLY_MS);
}

function lose() {
  if (connected === false) return;
  connected = false;
  lost += 1;
  say("lost", "Connection to server lost. Reconnecting…");
  // A request to a server that no longer answers would only hang; its press asks again later.
  press?.control?.abort();
  draw();
  pollSoon(PROMPTLY_MS);
}

function find() {
  if (connected === false) {
    const going = view.name === "payment" || view.name === "order" || press !== null || inFlightOrders();
    say("back", going ? "Back again — your order went on where it was." : "Back again — nothing was lost.");
  }
  connected = true;
  waiting.splice(0).forEach((resolve) => resolve());
}

function inFlightOrders() {
  return orders.some((order) => STATUS[order.order_status] === "PAID" || STATUS[order.order_status] === "PENDING");
}

let silence = 0;
function say(state, text) {
  clearTimeout(silence);
  $("banner").dataset.state = state;
  $("banner").textContent = text;
  if (state === "back") silence = setTimeout(() => say("none", ""), SAID_MS);
}

/* ---- Where we are ---- */

function viewFromAddress() {
  const query = new URLSearchParams(location.search);
  if (query.get("order")) return { name: "order", id: query.get("order") };
  if (query.get("payment")) return { name: "payment", id: query.get("payment") };
  return { name: "store" };
}

let turned = false; // to a view whose heading has not been read out yet
function go(next) {
  view = next;
  const address = { payment: `?payment=${encodeURIComponent(next.id)}`, order: `?order=${encodeURIComponent(next.id)}` };
  history.replaceState(null, "", location.pathname + (address[next.name] || ""));
  note("store-note", "");
  note("payment-note", "");
  turned = true;
  draw();
}

/* ---- What can be pressed ---- */

async function buy() {
  await whilePressed("buy", async () => {
    note("store-note", "Reserving your widget…", "busy");
    const answer = await insist("buy", `/checkout/${attempt}`);
    if (answer.ok) return go({ name: "payment", id: answer.text });
    // A key stands for one attempt, and this one is over.
    attempt = newKey();
    if (answer.status !== 409) return note("store-note", `${sentence(answer)}. Please try again.`, "bad");
    product.inventory = 0;
    note("store-note", "Sold out: somebody took the last one. You have not been charged.", "soldout");
  });
}

async function pay(status) {
  const { id } = view;
  await whilePressed(status, async () => {
    note("payment-note", status === "paid" ? "Confirming your payment…" : "Cancelling your order…", "busy");
    const answer = await insist(status, `/payment_webhook/${encodeURIComponent(id)}/${status}`);
    if (answer.ok) return go({ name: "order", id: String(JSON.parse(answer.text)), settled: true });
    if (answer.status === 404) return go({ name: "unknown", what: "payment", id });
    const settled = answer.status === 409 && /\bOrder (\d+)\b/.exec(sentence(answer));
    if (settled) return go({ name: "order", id: settled[1], settled: true, refused: status });
    note("payment-note", `${sentence(answer)}. Please try again.`, "bad");
  });
}

async function restock() {
  await whilePressed("restock", async () => {
    press = { name: "restock", control: null };
    draw();
    try {
      const answer = await request("POST", "/restock", POLL_TIMEOUT_MS);
      note("restock-note", answer.ok ? "Shelf filled up." : sentence(answer), answer.ok ? "" : "bad");
      if (answer.ok) setTimeout(note, SAID_MS, "restock-note", "");
    } catch {
      // Not asked again by itself: by then widgets may have been sold, and the shelf would be wrong.
      note("restock-note", "That did not get through. Please try again.", "bad");
      lose();
    }
  });
}

async function crash() {
  await whilePressed("crash", async () => {
    press = { name: "crash", control: null };
    draw();
    try {
      const answer = await request("POST", "/crash_application", POLL_TIMEOUT_MS);
      crashRefused = [401, 403, 404, 405].includes(answer.status);
      note("crash-note", `${sentence(answer)}.`, "bad");
    } catch {
      note("crash-note", "");
      lose();
    }
  });
}

function shopOn() {
  attempt = newKey();
  go({ name: "store" });
}

// 21 characters of 64 kinds: 126 random bits, and nothing an address would have to escape.
function newKey() {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return Array.from(crypto.getRandomValues(new Uint8Array(21)), (byte) => letters[byte & 63]).join("");
}

/* ---- Drawing ---- */

function draw() {
  drawLink();
  drawShelf();
  drawOrders();
  drawStage();
}

function drawLink() {
  const [state, text] = connected ? ["up", "Connected"] : connected === null ? ["waiting", "Connecting…"] : ["down", "Reconnecting…"];
  $("link").dataset.state = state;
  write("link-text", text);
}

function drawShelf() {
  const free = connected && !press;
  enable("restock", free);
  enable("crash", free && !crashRefused);
  if (!product) return;
  write("stock-product", product.product);
  write("stock-available", product.inventory);
}

let drawnOrders = "";
function drawOrders() {
  if (!orders) return;
  const own = view.name === "order" ? view.id : "";
  const fingerprint = own + JSON.stringify(orders);
  if (fingerprint === drawnOrders) return;
  drawnOrders = fingerprint;
  $("orders-empty").hidden = orders.length > 0;
  $("orders-scroll").hidden = orders.length === 0;
  const newestFirst = orders.toSorted((one, other) => other.order_id - one.order_id);
  $("orders").replaceChildren(...newestFirst.map((order) => orderRow(order, String(order.order_id) === own)));
}

function orderRow(order, own) {
  const status = statusOf(order);
  const row = element("tr", { "data-order": order.order_id, "data-status": status });
  if (own) row.setAttribute("aria-current", "true");
  const progress = element("td");
  if (status === "PAID") {
    const percent = percentOf(order);
    const bar = element("progress", { max: 100, value: percent, "aria-label": `Progress of order ${order.order_id}` });
    const meter = element("div", { class: "meter" });
    meter.append(bar, element("span", {}, `${percent} %`));
    progress.append(meter);
  } else {
    progress.append(element("span", { class: "quiet" }, status === "DISPATCHED" ? "On its way" : "–"));
  }
  const chip = element("td");
  chip.append(element("span", { class: "chip", "data-status": status }, status));
  row.append(element("td", { class: "number" }, order.order_id), chip, progress);
  return row;
}

function drawStage() {
  const order = view.name === "order" && orders?.find((order) => String(order.order_id) === view.id);
  let shown = view.name;
  if (shown === "store" && !product) shown = "loading";
  if (shown === "order" && !order) shown = orders && !view.settled ? "unknown" : "loading";
  // The server just said it is settled; the next poll shows how.
  if (shown === "order" && view.settled && statusOf(order) === "PENDING") shown = "loading";
  for (const name of ["loading", "store", "payment", "order", "unknown"]) $(`view-${name}`).hidden = name !== shown;

  if (shown === "store") drawStore();
  if (shown === "payment") drawPayment();
  if (shown === "order") drawOrder(order);
  if (shown === "unknown") drawUnknown();
  if (turned && shown !== "loading") {
    turned = false;
    // Whoever cannot see the change hears it.
    $(`view-${shown}`).querySelector("h2").focus({ preventScroll: true });
  }
  document.title = shown === "order" ? `Order ${view.id} · Widget Store` : shown === "payment" ? "Payment · Widget Store" : "Widget Store";
}

function drawStore() {
  const { inventory } = product;
  const price = dollars(product.price);
  write("product-name", product.product);
  write("product-description", product.description);
  write("stock-badge", inventory > 0 ? `Only ${inventory} left!` : "Sold out");
  $("stock-badge").dataset.stock = inventory > 3 ? "some" : inventory > 0 ? "few" : "none";
  write("buy", inventory > 0 ? `Buy Now for ${price}` : "Sold out");
  enable("buy", connected && !press && inventory > 0);
  const said = $("store-note").dataset.tone;
  if (inventory <= 0 && !press && !said) note("store-note", "Every widget has found a home. More will come with the next restock.", "soldout");
  if (inventory > 0 && said === "soldout") note("store-note", "");
}

function drawPayment() {
  write("payment-id", view.id);
  if (product) {
    write("bill-product", product.product);
    write("bill-price", dollars(product.price));
  }
  enable("confirm", connected && !press);
  enable("deny", connected && !press);
  const pressed = press?.name === "paid" || press?.name === "failed";
  if (pressed && !connected) note("payment-note", "Your answer is kept and goes out again as soon as the server is back.", "busy");
  if (!pressed && !$("payment-note").textContent) note("payment-note", "One widget is set aside for you while you decide.");
}

let told = "";
function drawOrder(order) {
  const status = statusOf(order);
  write("order-id", order.order_id);
  write("order-status", status);
  $("order-status").dataset.status = status;
  write("order-story", story(status));
  const news = `Order ${order.order_id}: ${story(status)}`;
  if (news !== told) tell(told = news);
  $("order-track").hidden = status !== "PAID";
  $("order-progress").value = percentOf(order);
  write("order-percent", `${percentOf(order)} %`);
  const updated = new Date(order.last_update_time);
  write("order-updated", updated.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" }));
  $("order-updated").dateTime = order.last_update_time;
}

function story(status) {
  if (status === "CANCELLED" && view.refused === "paid") return "Your payment came too late: the order had been cancelled before. You have not been charged.";
  if (status !== "CANCELLED" && view.refused === "failed") return "This order had been paid before, so it could not be cancelled any more.";
  return {
    PENDING: "We are waiting for your payment.",
    PAID: "Payment received. Your widget is being packed.",
    DISPATCHED: "Your widget is on its way. Thank you!",
    CANCELLED: "This order is cancelled. The widget is back on the shelf, and you have not been charged.",
  }[status];
}

function drawUnknown() {
  const payment = view.name === "unknown";
  write("unknown-title", payment ? "We do not know this payment" : "We do not know this order");
  write("unknown-story", `There is no ${payment ? "payment" : "order"} “${view.id}” in this shop. Perhaps the address was cut short on its way to you.`);
}

const statusOf = (order) => STATUS[order.order_status] || "UNKNOWN";
const percentOf = (order) => 100 - 10 * order.progress_remaining;
const dollars = (price) => price.toLocaleString("en-US", { style: "currency", currency: "USD" });

// Text is written only when it changes: a screen reader would read it again otherwise.
function write(id, text) {
  if ($(id).textContent !== String(text)) $(id).textContent = text;
}

// Has a screen reader say it. The place for that is always there: one that appears together with its text stays
// silent, and so does one in a part that a phone does not show.
let hush = 0;
function tell(text) {
  write("news", text);
  clearTimeout(hush);
  hush = setTimeout(write, SAID_MS, "news", "");
}

function note(id, text, tone = "") {
  if (text && text !== $(id).textContent) tell(text);
  write(id, text);
  $(id).dataset.tone = tone;
}

function element(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

// A disabled button drops the keyboard's focus; it is handed back once the button works again.
let owed = null;
function enable(id, enabled) {
  const button = $(id);
  if (button.disabled === !enabled) return;
  if (!enabled && document.activeElement === button) owed = button;
  button.disabled = !enabled;
  if (enabled && owed === button) {
    owed = null;
    if (document.activeElement === document.body || document.activeElement === button) button.focus({ preventScroll: true });
  }
}

/* ---- Beginning ---- */

$("buy").addEventListener("click", buy);
$("confirm").addEventListener("click", () => pay("paid"));
$("deny").addEventListener("click", () => pay("failed"));
$("continue").addEventListener("click", shopOn);
$("back").addEventListener("click", shopOn);
$("restock").addEventListener("click", restock);
$("crash").addEventListener("click", crash);
for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    document.body.dataset.tab = tab.dataset.tab;
    for (const other of document.querySelectorAll(".tabs button")) other.toggleAttribute("aria-current", false);
    tab.setAttribute("aria-current", "true");
    scrollTo({ top: 0 });
  });
}
document.addEventListener("visibilitychange", () => document.hidden || pollSoon());
addEventListener("online", () => pollSoon());
draw();
poll();
